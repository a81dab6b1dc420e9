import { describe, expect, it } from 'vitest';
import { readMediaLimits } from '../../../src/media/media.js';

describe('the settings of the limits', () => {
  it('have defaults and are whole numbers within bounds', () => {
    expect(readMediaLimits({})).toEqual({
      seconds: 14_400,
      frames: 1_000_000,
      streams: 64,
      pixels: 67_108_864,
      outputBytes: 100e9,
    });
    expect(readMediaLimits({ MOST_FRAMES: '7' }).frames).toBe(7);
    expect(() => readMediaLimits({ MOST_FRAMES: 'many' })).toThrow(/MOST_FRAMES .*whole number/);
    expect(() => readMediaLimits({ FFMPEG_SECONDS: '0' })).toThrow(/FFMPEG_SECONDS .*at least 1/);
  });
});
