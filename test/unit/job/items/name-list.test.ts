import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createListedOutputs, isJsonList, readNames } from '../../../../src/job/items/name-list.js';

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function names(text: string | Uint8Array, isJson = false, size = 3): Promise<string[]> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const found: string[] = [];
  for await (const name of readNames('inbox/list', inPieces(bytes, size), { isJson })) found.push(name);
  return found;
}

describe('a list of images', () => {
  test.each([1, 2, 7, 1000])('is read in its order, %i bytes at a time, whatever ends its lines', async (size) => {
    expect(await names('\uFEFFb.jpg\r\n\nnested/größe.png\na b.jpg', false, size)).toEqual([
      'b.jpg',
      'nested/größe.png',
      'a b.jpg',
    ]);
  });

  test('may be the failed items of another job', async () => {
    const text = '{"name":"b.jpg","reason":"cut off","batch":0}\n\n{"name":"a.jpg"}\n';
    expect(await names(text, true)).toEqual(['b.jpg', 'a.jpg']);
    expect(['inbox/a.jsonl', 'inbox/a.NDJSON', 'inbox/a.txt', 'inbox/a.json'].map((name) => isJsonList(name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test.each<[string, string | Uint8Array, boolean, string]>([
    ['a name that leaves its folder', 'a.jpg\n../b.jpg', false, 'Line 2 of the list inbox/list is not the name'],
    ['a name that leaves it further down', 'a/../../b.jpg', false, 'Line 1'],
    ['a name from the root', '/a.jpg', false, 'Line 1'],
    ['a name with a backslash', 'a\\b.jpg', false, 'Line 1'],
    ['a name with a control character', 'a\u0000.jpg', false, 'Line 1'],
    ['a name that is too long', 'a'.repeat(2000), false, 'Line 1'],
    ['a line without an end', 'a'.repeat(200_000), false, 'a line that is too long'],
    ['something that is no JSON', '{"name":"a"}\nb.jpg', true, 'Line 2 of the list inbox/list is no JSON object'],
    ['an object without a name', '{"item":"a"}', true, 'property "name"'],
    ['a name that is none', '{"name":7}', true, 'property "name"'],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x41]), false, 'is not UTF-8 text'],
  ])('with %s is refused', async (_, text, isJson, sentence) => {
    await expect(names(text, isJson, 1024)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining(sentence) as string,
    });
  });
});

const hash = (name: string) => createHash('sha256').update(name).digest().readBigUInt64LE();

test('outputs of listed images have names of their own, and no image is taken twice', () => {
  const nameOutput = createListedOutputs(hash);
  const listed = ['b.jpg', 'a.png.jpg', 'a.png', 'a.gif', 'b.jpg', 'nested/.jpg', 'b', 'b.png'];
  expect(listed.map((name) => nameOutput(name))).toEqual([
    'b',
    'a.png',
    'a',
    'a.gif',
    undefined,
    'nested/.jpg',
    'b_',
    'b.png',
  ]);
});

test('what is remembered of a hundred thousand names tells them all apart', () => {
  const nameOutput = createListedOutputs(hash);
  const outputs = new Set<string | undefined>();
  for (let index = 0; index < 100_000; index += 1) outputs.add(nameOutput(`${index}.jpg`));
  expect(outputs.size).toBe(100_000);
  expect(nameOutput('77777.jpg')).toBeUndefined();
});
