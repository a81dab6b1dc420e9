import type { Picture } from '../pictures/codec.js';
import type { FoundClass } from './classes.js';
import type { Detection } from './detections.js';
import { drawable, GLYPH_HEIGHT, GLYPH_WIDTH, isInk } from './font.js';
import type { FrameOutput } from './read-output.js';

type Colour = [red: number, green: number, blue: number];

interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A line, and a dot of a letter, is one pixel wide for so many pixels of the shorter side. */
const SIDE_PER_DOT = 200;
/** How much of a mask's colour covers the frame. */
const MASK_SHARE = 0.5;
const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];

/**
 * Draws what a model found into a picture of the item: boxes with label and score, the best on top; a colour for each class of a mask but
 * the first; the best classes as lines of text.
 * @param picture is drawn into.
 */
export function drawOutput(picture: Picture, output: FrameOutput): Picture {
  const { width, height } = picture;
  const dot = Math.max(1, Math.round(Math.min(width, height) / SIDE_PER_DOT));
  if (output.kind === 'mask') drawMask(picture, output.picture);
  if (output.kind === 'record') {
    for (const found of (output.record.detections ?? []).toReversed()) drawDetection(picture, found, dot);
    (output.record.classes ?? []).forEach((found, line) =>
      drawText(picture, captionOf(found), {
        left: dot,
        top: dot + line * lineHeight(dot),
        dot,
        ink: WHITE,
        paper: BLACK,
      }),
    );
  }
  return picture;
}

/** Neighbouring classes get colours that are easy to tell apart: the hue goes on by the golden angle. */
function colourOf(index: number): Colour {
  const hue = ((index * 137.508) % 360) / 60;
  const channel = (shift: number) => {
    const at = (hue + shift) % 6;
    return Math.round(255 * (1 - 0.85 * Math.max(0, Math.min(at, 4 - at, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

/** The label, or the number of the class where it has none that can be written, and the score. */
function captionOf({ index, label, score }: FoundClass): string {
  const name = drawable(label ?? '').trim();
  return `${/[^? ]/.test(name) ? name : `#${index}`} ${score.toFixed(2)}`;
}

function drawDetection(picture: Picture, found: Detection, dot: number): void {
  const [left = 0, top = 0, right = 0, bottom = 0] = found.box.map(Math.round);
  const colour = colourOf(found.index);
  const box = { left, top, right: Math.max(right, left + dot), bottom: Math.max(bottom, top + dot) };
  // Dark lines around the coloured ones show the box on a background of its own colour.
  frame(picture, { left: left - dot, top: top - dot, right: box.right + dot, bottom: box.bottom + dot }, dot, BLACK);
  frame(picture, box, dot, colour);
  const above = top - lineHeight(dot);
  const [red, green, blue] = colour;
  const ink = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? BLACK : WHITE;
  const caption = captionOf(found);
  const room = picture.width - textWidth(caption, dot);
  drawText(picture, caption, {
    left: Math.max(0, Math.min(left, room)),
    top: above >= 0 ? above : Math.max(0, top),
    dot,
    ink,
    paper: colour,
  });
}

function drawMask({ data }: Picture, mask: Picture): void {
  mask.data.forEach((kind, pixel) => {
    if (kind === 0) return;
    colourOf(kind).forEach((value, channel) => {
      const at = 3 * pixel + channel;
      data[at] = Math.round((data[at] ?? 0) * (1 - MASK_SHARE) + value * MASK_SHARE);
    });
  });
}

const lineHeight = (dot: number) => (GLYPH_HEIGHT + 2) * dot;
const textWidth = (text: string, dot: number) => (text.length * (GLYPH_WIDTH + 1) + 1) * dot;

interface TextStyle {
  left: number;
  top: number;
  /** Pixels of a dot of a letter. */
  dot: number;
  ink: Colour;
  paper: Colour;
}

/** A line of text on paper of its own, with a dot's margin. */
function drawText(picture: Picture, text: string, { left, top, dot, ink, paper }: TextStyle): void {
  fill(picture, { left, top, right: left + textWidth(text, dot), bottom: top + lineHeight(dot) }, paper);
  text.split('').forEach((character, place) => {
    const from = left + (place * (GLYPH_WIDTH + 1) + 1) * dot;
    for (let y = 0; y < GLYPH_HEIGHT; y += 1)
      for (let x = 0; x < GLYPH_WIDTH; x += 1) {
        const [across, down] = [from + x * dot, top + (y + 1) * dot];
        if (isInk(character, x, y))
          fill(picture, { left: across, top: down, right: across + dot, bottom: down + dot }, ink);
      }
  });
}

function frame(picture: Picture, outer: Rectangle, dot: number, colour: Colour): void {
  fill(picture, { ...outer, bottom: outer.top + dot }, colour);
  fill(picture, { ...outer, top: outer.bottom - dot }, colour);
  fill(picture, { ...outer, right: outer.left + dot }, colour);
  fill(picture, { ...outer, left: outer.right - dot }, colour);
}

/** Fills the part of a rectangle that lies in the picture. */
function fill({ width, height, data }: Picture, { left, top, right, bottom }: Rectangle, colour: Colour): void {
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y += 1)
    for (let x = Math.max(0, left); x < Math.min(width, right); x += 1) data.set(colour, 3 * (y * width + x));
}
