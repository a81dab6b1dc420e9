import { enlarge, LARGEST_OVERHANG } from '../../model-card/complete-size.js';
import type { ImageOutput, SizeRule } from '../../model-card/schema.js';
import { JobError } from '../../job/failure.js';
import type { Size } from './codec.js';

/**
 * A frame is first resized to `scaled`, then padded right and below to `padded`, the size the model sees. Where the card
 * asks for tiles, each tile is padded for itself.
 */
export interface InputPlan {
  scaled: Size;
  padded: Size;
}

export function planInput(rule: SizeRule, frame: Size): InputPlan {
  const scaled = scaledSize(rule, frame);
  if (rule.fixed !== null) return { scaled, padded: { width: rule.fixed[0], height: rule.fixed[1] } };
  const pad = (side: number) => Math.ceil(Math.max(side, rule.minimum) / rule.multipleOf) * rule.multipleOf;
  return { scaled, padded: { width: pad(scaled.width), height: pad(scaled.height) } };
}

function scaledSize(rule: SizeRule, frame: Size): Size {
  if (rule.fixed !== null && !rule.tiles) {
    const [width, height] = rule.fixed;
    return rule.keepProportions === true ? within({ width, height }, frame) : { width, height };
  }
  const longest = Math.max(frame.width, frame.height);
  if (rule.longestSide === null || longest <= rule.longestSide) return frame;
  const scale = (side: number) => Math.max(1, Math.round((side * (rule.longestSide ?? longest)) / longest));
  return { width: scale(frame.width), height: scale(frame.height) };
}

/** The largest size with a frame's proportions that fits. */
function within(room: Size, { width, height }: Size): Size {
  const scale = Math.min(room.width / width, room.height / height);
  return {
    width: Math.min(Math.max(Math.round(width * scale), 1), room.width),
    height: Math.min(Math.max(Math.round(height * scale), 1), room.height),
  };
}

/**
 * The upper left part of a model's output that shows the frame and not the padding.
 * @throws JobError `item`: the output's size does not go with the card's `fit` and `scale`.
 */
export function cropOf(
  output: Size,
  { scaled, padded }: InputPlan,
  { fit, scale = 1 }: Pick<ImageOutput, 'fit' | 'scale'>,
): Size {
  if (fit === 'resize') {
    return {
      width: Math.max(1, Math.round((scaled.width * output.width) / padded.width)),
      height: Math.max(1, Math.round((scaled.height * output.height) / padded.height)),
    };
  }
  const crop = enlarge(scaled, scale);
  const whole = enlarge(padded, scale);
  const covers = output.width >= crop.width && output.height >= crop.height;
  const overhang = Math.max(output.width - whole.width, output.height - whole.height);
  if (covers && overhang < LARGEST_OVERHANG * scale) return crop;
  throw new JobError(
    'item',
    `the model made ${output.width}x${output.height} pixels of ${padded.width}x${padded.height}: set "output.scale" in the model card to how many times it enlarges, or "output.fit" to "resize"`,
  );
}

export function sameSize(one: Size, other: Size): boolean {
  return one.width === other.width && one.height === other.height;
}
