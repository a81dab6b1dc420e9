import { JobError } from '../../job/failure.js';
import { DEFAULT_CODEC, DEFAULT_IMAGE_FORMAT, sizeProblem } from '../../job/items/formats.js';
import { type JobSpec, makesFrames } from '../../job/spec.js';
import type { PictureShape } from '../../media/media.js';
import type { ModelCard } from '../../model-card/schema.js';

/** @throws JobError `user` when the same bytes do not give the same output. */
export function checkReuse({ model, reuse }: JobSpec, random: string | undefined): void {
  if (reuse !== true || random === undefined) return;
  throw new JobError(
    'user',
    `The model "${model}" draws random numbers (${random}), so it gives something else each time; leave "reuse" (--reuse) out.`,
  );
}

/** @throws JobError `user` when the job asks for a video or for predictions that the model does not give. */
export function checkResult(card: ModelCard, { model, output }: JobSpec): void {
  const { kind = 'image' } = card.output;
  const { draw, video, predictions, quality, codec } = output;
  const refuse = (what: string) => {
    throw new JobError('user', `The model "${model}" gives ${what}.`);
  };
  if (kind === 'image') {
    if (draw) refuse('pictures, which make the video themselves; leave "output.draw" (--draw) out');
    if (predictions !== undefined)
      refuse(
        'pictures and no predictions; leave "output.predictions" out, or with --out name a file that ends in .mp4 or another ending of a video',
      );
  } else if (draw) {
    if (kind === 'tensor')
      refuse('tensors, which nobody can draw; leave "output.draw" (--draw) out to get them as files');
  } else if (video !== undefined || quality !== undefined || codec !== DEFAULT_CODEC)
    refuse(
      `${kind === 'mask' ? 'masks' : kind === 'tensor' ? 'tensors' : kind} and no pictures; ${kind === 'tensor' ? '' : 'set "output.draw" (--draw) to have them drawn into the video, or '}leave "output.video", "output.codec" and "output.quality" out (--out FOLDER) to get them frame by frame`,
    );
}

/** @throws JobError `user` when no video of this size can be made. */
export function checkShape({ width, height }: PictureShape, { model, output }: JobSpec, video: string): void {
  const problem = sizeProblem({ width, height }, output.codec);
  if (problem === undefined) return;
  throw new JobError(
    'user',
    `The model "${model}" would make pictures of ${width}x${height} pixels of ${video}, and ${problem}: give a smaller video, or a smaller "output.scale" with "output.fit" set to "resize" in the model card.`,
  );
}

/** @throws JobError `user` when the job asks for a format of pictures and no picture is stored in it. */
export function checkFrameFormat({ model, input, output: { frameFormat } }: JobSpec, { output }: ModelCard): void {
  const { kind = 'image' } = output;
  if (makesFrames(input) || kind === 'image' || frameFormat === DEFAULT_IMAGE_FORMAT) return;
  throw new JobError(
    'user',
    `The model "${model}" gives ${kind === 'mask' ? 'masks, which are always PNG' : 'no pictures'}; leave the format "${frameFormat}" (output.frameFormat) out.`,
  );
}

/** @throws JobError `user` when the job names a style picture and the model takes none, or the reverse. */
export function checkStyle({ model, style }: JobSpec, card: ModelCard): void {
  if (card.style && style === undefined)
    throw new JobError(
      'user',
      `The model "${model}" has a style input ("${card.style.name}"); name a picture (style, --style of the command line).`,
    );
  if (!card.style && style !== undefined)
    throw new JobError('user', `The model "${model}" has no style input; leave the property "style" out.`);
}
