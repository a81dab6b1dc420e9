import { expect, test } from 'vitest';
import { csvHeader, csvLines } from '../../../src/job/predictions.js';

test('each class has its line, the best first', () => {
  expect(csvHeader('classes', 'images')).toBe('item,rank,index,label,score\r\n');
  const classes = [
    { index: 285, label: 'Egyptian cat', score: 0.5 },
    { index: 3, score: 0.25 },
  ];
  expect(csvLines('classes', { item: 'cat.jpg', classes })).toBe(
    'cat.jpg,1,285,Egyptian cat,0.5\r\ncat.jpg,2,3,,0.25\r\n',
  );
});

test('each box has its line, and an item without boxes one with its name only', () => {
  expect(csvHeader('detections', 'images')).toBe('item,index,label,score,left,top,right,bottom\r\n');
  const detections = [{ index: 1, label: 'face', score: 0.9, box: [1, 2.5, 30, 40] }];
  expect(csvLines('detections', { item: 'a.jpg', detections })).toBe('a.jpg,1,face,0.9,1,2.5,30,40\r\n');
  expect(csvLines('detections', { item: 'b.jpg', detections: [] })).toBe('b.jpg,,,,,,,\r\n');
});

test('names and labels may hold commas, quotes and line breaks', () => {
  const classes = [{ index: 0, label: 'tench, "Tinca"', score: 1 }];
  expect(csvLines('classes', { item: 'a,\nb.jpg', classes })).toBe('"a,\nb.jpg",1,0,"tench, ""Tinca""",1\r\n');
});

test('no name or label runs as a formula in a spreadsheet, and numbers stay numbers', () => {
  const classes = [{ index: 0, label: '=HYPERLINK("http://x","y")', score: -1.5 }];
  expect(csvLines('classes', { item: '@a.jpg', classes })).toBe(
    `'@a.jpg,1,0,"'=HYPERLINK(""http://x"",""y"")",-1.5\r\n`,
  );
  for (const sign of ['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠'])
    expect(csvLines('file', { item: `${sign}a.jpg`, file: 'a.npy' })).toBe(`'${sign}a.jpg,a.npy\r\n`);
  for (const end of ['\r', '\n'])
    expect(csvLines('file', { item: `${end}=1`, file: 'a.npy' })).toBe(`"'${end}=1",a.npy\r\n`);
  expect(csvLines('file', { item: '+a.jpg', file: '-a.npy' })).toBe("'+a.jpg,'-a.npy\r\n");
});

test('files are named', () => {
  expect(csvHeader('file', 'images') + csvLines('file', { item: 'x/a.jpg', file: 'x/a.npy' })).toBe(
    'item,file\r\nx/a.jpg,x/a.npy\r\n',
  );
});

test('frames have their number and their time in place of a name', () => {
  const detections = [{ index: 1, label: 'face', score: 0.9, box: [1, 2, 3, 4] }];
  expect(csvHeader('detections', 'frames')).toBe('frame,time,index,label,score,left,top,right,bottom\r\n');
  expect(csvLines('detections', { frame: 7, time: 0.28, detections })).toBe('7,0.28,1,face,0.9,1,2,3,4\r\n');
  expect(csvLines('detections', { frame: 8, time: 0.32, detections: [] })).toBe('8,0.32,,,,,,,\r\n');
  expect(csvLines('file', { frame: 0, time: 0, file: '0000000.png' })).toBe('0,0,0000000.png\r\n');
});

test('an array in an archive is named by both', () => {
  const prediction = { item: 'a.jpg', file: 'arrays/0000000.npz', member: 'a.jpg.npy' };
  expect(csvHeader('member', 'images') + csvLines('member', prediction)).toBe(
    'item,file,member\r\na.jpg,arrays/0000000.npz,a.jpg.npy\r\n',
  );
});
