import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { builds, packetHashes, roundTrip, some, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'damage-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(builds)('a video that breaks half-way, with ffmpeg from $name,', (build) => {
  const { media, name, tools } = build;
  const out = (file: string) => path.join(folder, `${path.basename(name)}-${file}`);

  /** 48 frames with sound, some key frames among them. */
  function whole(ending: string): { file: string; bytes: Buffer } {
    const file = out(`whole${ending}`);
    const inputs = '-f lavfi -i testsrc2=size=160x120:rate=12:duration=4 -f lavfi -i sine=duration=4'.split(' ');
    const encode = '-c:v libx264 -g 12 -pix_fmt yuv420p -c:a aac -movflags +faststart'.split(' ');
    execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...inputs, ...encode, file]);
    return { file, bytes: readFileSync(file) };
  }

  function spoiled(kind: 'cut.mp4' | 'cut.mkv' | 'overwritten.mp4'): { file: string; source: string } {
    const { file: source, bytes } = whole(path.extname(kind));
    const middle = Math.floor(bytes.length / 2);
    if (kind === 'overwritten.mp4') bytes.fill(0xa5, middle, middle + 4000);
    writeFileSync(out(kind), kind === 'overwritten.mp4' ? bytes : bytes.subarray(0, middle));
    return { file: out(kind), source };
  }

  it.each(some(['overwritten.mp4', 'cut.mkv', 'cut.mp4'], 2))(
    '%s: gives the frames and the sound before the break',
    async (kind) => {
      const { file, source } = spoiled(kind);
      const output = out(`kept-${kind}.mp4`);
      const { facts, frames, timetable, others } = await roundTrip(media, file, output, { keep: true });
      const count = timetable.times.length;
      expect(timetable.broken).toBe(true);
      expect(count).toBeGreaterThan(10);
      expect(count).toBeLessThan(40);
      const { frames: good } = await splitWhole(media, source);
      // The last one may be the one that broke.
      const same = frames.slice(0, count - 1).filter((frame, index) => good[index]?.equals(frame));
      expect(same).toHaveLength(count - 1);

      const comparison = await media.compare({ source: file, facts, timetable, output, others });
      expect(comparison.problems).toEqual([]);
      const sound = packetHashes(build, output)[0]?.length ?? 0;
      expect(sound).toBeGreaterThan(10);
      // AAC: 1024 samples a packet.
      expect((sound * 1024) / 44_100).toBeLessThan(count / 12 + 0.1);
    },
  );

  it.each([
    ['cut.mp4', /is cut off: it ends before its last frame; .*"input\.onDamage" to "keep" \(--on-damage keep\)/],
    [
      'overwritten.mp4',
      /is damaged after its first \d+ frames \(.+\); export it again, or set "input.onDamage" to "keep" \(--on-damage keep\)/,
    ],
  ] as const)('%s: is refused otherwise', async (kind, sentence) => {
    const { file } = spoiled(kind);
    await expect(splitWhole(media, file)).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(sentence),
    });
  });
});
