import { JobError, messageOf } from '../../job/failure.js';
import type { ModelCard } from '../../model-card/schema.js';
import type { FrameOutcome, FrameRequest } from './engine-protocol.js';
import type { FrameOutput } from '../outputs/read-output.js';
import { planInput, sameSize } from '../pictures/geometry.js';
import { resizeMask } from '../outputs/mask.js';
import type { Picture, Size } from '../pictures/codec.js';
import { Canvas, cutTile, planTiles, type Tile } from '../pictures/tiles.js';

/** What the model gets: a frame, or a tile of one. */
export interface View {
  picture: Picture;
  /** What the view shows, before it was scaled. */
  original: Size;
}

type Result = { ok: true; output: FrameOutput } | { ok: false; error: unknown };

/**
 * Cuts frames into tiles where the card asks for it, scores the views in groups of one size, and puts the tiles together again.
 * @param infer scores views of one size, at most as many as the model takes at a time. It fails for all of them or for none.
 */
export async function scoreFrames(
  frames: FrameRequest[],
  card: ModelCard,
  infer: (views: View[]) => Promise<FrameOutput[]>,
): Promise<FrameOutcome[]> {
  const assemblies = frames.map((frame) => new Assembly(frame, card));
  const parts = assemblies.flatMap((assembly) => assembly.tiles.map((tile) => ({ assembly, tile })));
  for (const group of inGroups(parts, card)) {
    const views = group.map(({ assembly, tile }) => assembly.view(tile));
    const results = await scoreAlone(views, infer);
    group.forEach(({ assembly, tile }, index) => assembly.add(tile, results[index]));
  }
  return assemblies.map((assembly) => assembly.outcome());
}

/** When a group fails, scores each of its views by itself, so that one bad view fails alone. */
async function scoreAlone(views: View[], infer: (views: View[]) => Promise<FrameOutput[]>): Promise<Result[]> {
  try {
    return (await infer(views)).map((output) => ({ ok: true, output }));
  } catch (error) {
    if (views.length === 1) return [{ ok: false, error }];
    const results: Result[] = [];
    for (const view of views) results.push(...(await scoreAlone([view], infer)));
    return results;
  }
}

function inGroups<T extends { tile: Tile }>(parts: T[], { input, batch = 1 }: ModelCard): T[][] {
  const groups: T[][] = [];
  const sizeOf = ({ tile }: T) => planInput(input.size, tile).padded;
  for (const part of parts) {
    const group = groups.at(-1);
    const [first] = group ?? [];
    if (group && first && group.length < batch && sameSize(sizeOf(first), sizeOf(part))) group.push(part);
    else groups.push([part]);
  }
  return groups;
}

/** The tiles of a frame and their results. */
class Assembly {
  readonly tiles: Tile[];
  #canvas: Canvas | undefined;
  #output: FrameOutput | undefined;
  #error: unknown;

  constructor(
    private readonly request: FrameRequest,
    private readonly card: ModelCard,
  ) {
    this.tiles = planTiles(card.input.size, request.frame);
  }

  view(tile: Tile): View {
    const { frame, original } = this.request;
    return { picture: cutTile(frame, tile), original: this.tiles.length === 1 ? original : tile };
  }

  add(tile: Tile, result: Result | undefined): void {
    if (result?.ok !== true) this.#error ??= result?.error;
    else if (this.tiles.length === 1 || result.output.kind === 'record' || result.output.kind === 'array')
      this.#output = result.output;
    else this.#place(tile, result.output);
  }

  #place(tile: Tile, output: Extract<FrameOutput, { picture: object }>): void {
    const { output: card, input } = this.card;
    const scale = ('scale' in card ? card.scale : undefined) ?? 1;
    const blend = output.kind === 'mask' ? 0 : (input.size.tiles?.overlap ?? 0) / 2;
    this.#canvas ??= new Canvas(this.request.frame, { channels: output.kind === 'mask' ? 1 : 3, scale, blend });
    this.#canvas.add(tile, output.picture.data);
    this.#output ??= { kind: output.kind, picture: { width: 0, height: 0, data: new Uint8Array() } };
  }

  outcome(): FrameOutcome {
    if (this.#error !== undefined || this.#output === undefined) return failureOf(this.#error);
    if (this.#canvas === undefined || !('picture' in this.#output)) return { ok: true, output: this.#output };
    const picture = this.#canvas.picture();
    if (this.#output.kind === 'picture') return { ok: true, output: { kind: 'picture', picture } };
    return { ok: true, output: { kind: 'mask', picture: resizeMask(picture, this.request.original) } };
  }
}

function failureOf(error: unknown): FrameOutcome {
  return { ok: false, kind: error instanceof JobError ? error.blame : 'item', message: messageOf(error) };
}
