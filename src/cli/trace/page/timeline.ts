/** A span of the timeline. Times are milliseconds since the origin. */
export interface TimelineRow {
  /** Index of the row that holds it; below 0 at the root. */
  parent: number;
  id: string;
  name: string;
  label: string;
  /** Which of the legend's kinds it is. */
  category: string;
  role: string;
  from: number;
  length: number;
  /** How long it waited between its call and its start. */
  waited: number;
  ok: boolean;
  unreported: boolean;
  dimensions: Record<string, string>;
  events: { name: string; at: number; dimensions: Record<string, string>; measurements: Record<string, number> }[];
}

/**
 * What the page is given: the rows in the order of the tree. Texts stand once in `texts`; rows and events name them by their index there,
 * which makes a page of many thousand rows half as large.
 */
export interface TimelineData {
  /** Milliseconds since the epoch. */
  origin: number;
  /** How much of the time is shown at first. */
  length: number;
  texts: string[];
  rows: PackedRow[];
  events: PackedEvent[];
}

export type PackedRow = [
  parent: number,
  id: string,
  name: number,
  label: number,
  category: number,
  role: number,
  from: number,
  length: number,
  waited: number,
  /** 1: it failed; 2: nobody reported it. */
  flags: number,
  /** Names and values by turns. */
  dimensions: number[],
];

export type PackedEvent = [row: number, name: number, at: number, dimensions: number[], measurements: number[]];

interface Row extends TimelineRow {
  depth: number;
  /** The row after its last descendant. */
  end: number;
  open: boolean;
  /** Its place among its like, from 1, and how many those are. */
  place: number;
  siblings: number;
}

const MOST_OPENED = 80;
const LEAST_MS = 2;
const PHASES = new Set(['starting', 'loading', 'scoring', 'storing']);

function byId(id: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`#${id}`);
  if (!found) throw new Error(`The page has no ${id}.`);
  return found;
}

const data = JSON.parse(byId('data').textContent) as TimelineData;
const rows = unpack(data);
const tree = byId('tree');
const space = byId('space');
const axis = byId('axis');
const tip = byId('tip');
const details = byId('details');
const canvas = byId('bars') as HTMLCanvasElement;
const narrow = matchMedia('(max-width: 640px)');
const whole = {
  from: rows.reduce((least, row) => Math.min(least, row.from - row.waited), 0),
  to: rows.reduce((most, row) => Math.max(most, row.from + row.length), data.length),
};

let view = { from: 0, to: Math.max(data.length, LEAST_MS) };
let visible: number[] = [];
let selected = 0;
let drawing = 0;

function unpack({ rows: packed, events, texts }: TimelineData): Row[] {
  const text = (index: number) => texts[index] ?? '';
  const pairs = (list: number[]) =>
    Object.fromEntries(list.flatMap((key, at) => (at % 2 === 0 ? [[text(key), text(list[at + 1] ?? 0)]] : [])));
  const made = packed.map(
    ([parent, id, name, label, category, role, from, length, waited, flags, dimensions]): Row => ({
      parent,
      id,
      name: text(name),
      label: text(label),
      category: text(category),
      role: text(role),
      from,
      length,
      waited,
      ok: (flags & 1) === 0,
      unreported: (flags & 2) !== 0,
      dimensions: pairs(dimensions),
      events: [],
      depth: 0,
      end: 0,
      open: false,
      place: 1,
      siblings: 1,
    }),
  );
  const counts = new Map<number, number>();
  for (const row of made) {
    row.depth = row.parent < 0 ? 0 : (made[row.parent]?.depth ?? 0) + 1;
    row.place = (counts.get(row.parent) ?? 0) + 1;
    counts.set(row.parent, row.place);
  }
  for (let index = made.length - 1; index >= 0; index -= 1) {
    const row = made[index];
    if (!row) continue;
    row.end = Math.max(row.end, index + 1);
    row.siblings = counts.get(row.parent) ?? 1;
    const above = made[row.parent];
    if (above) above.end = Math.max(above.end, row.end);
  }
  for (const [row, name, at, dimensions, measured] of events) {
    const measurements = Object.fromEntries(
      measured.flatMap((key, index) => (index % 2 === 0 ? [[text(key), measured[index + 1] ?? 0]] : [])),
    );
    made[row]?.events.push({ name: text(name), at, dimensions: pairs(dimensions), measurements });
  }
  return made;
}

const hasChildren = (index: number) => (rows[index]?.end ?? 0) > index + 1;

/** Opens level after level while the rows stay few; the phases of an attempt are seen on its own bar. */
function openAtFirst(): void {
  for (let depth = 0; ; depth += 1) {
    const level = rows.filter((row, index) => row.depth === depth && hasChildren(index) && row.category !== 'attempt');
    if (level.length === 0) return;
    for (const row of level) row.open = true;
    if (listVisible().length <= MOST_OPENED) continue;
    for (const row of level) row.open = false;
    return;
  }
}

function listVisible(): number[] {
  const list: number[] = [];
  for (let index = 0; index < rows.length;) {
    list.push(index);
    const row = rows[index];
    index = row && !row.open ? row.end : index + 1;
  }
  return list;
}

const rowHeight = () => (narrow.matches ? 46 : 24);
/** Where in the tree the bars begin, and how wide their room is. */
function track(): { left: number; width: number } {
  const left = narrow.matches ? 10 : Math.min(380, Math.round(tree.clientWidth * 0.38));
  return { left, width: Math.max(1, tree.clientWidth - left - 10) };
}
const xOf = (ms: number, width: number) => ((ms - view.from) / (view.to - view.from)) * width;
const msOf = (x: number, width: number) => view.from + (x / width) * (view.to - view.from);

/** Seconds with as many digits as the stretch needs. */
function seconds(ms: number): string {
  if (ms === 0) return '0 s';
  const digits = Math.abs(ms) < 10 ? 4 : Math.abs(ms) < 1000 ? 3 : Math.abs(ms) < 100_000 ? 2 : 1;
  return `${(ms / 1000).toFixed(digits)} s`;
}

const percent = (ms: number) => (data.length > 0 ? `${((ms / data.length) * 100).toFixed(1)} %` : '');
const moment = (ms: number) => new Date(data.origin + ms).toISOString().replace('T', ' ').replace('Z', ' UTC');

function drawAxis(): void {
  const { left, width } = track();
  const least = ((view.to - view.from) / width) * 84;
  const magnitude = 10 ** Math.floor(Math.log10(least));
  const between = magnitude * ([1, 2, 5, 10].find((factor) => factor * magnitude >= least) ?? 10);
  const ticks: HTMLElement[] = [];
  for (let at = Math.ceil(view.from / between) * between; at <= view.to; at += between) {
    const tick = element('span', `${Number((at / 1000).toPrecision(10))} s`);
    const x = xOf(at, width);
    tick.style.left = `${left + x}px`;
    // What would be cut off at the edge is only a line.
    if (x > width - 44) tick.textContent = '';
    ticks.push(tick);
  }
  axis.replaceChildren(...ticks);
}

function element(tag: string, text?: string): HTMLElement {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawRows(): void {
  const height = rowHeight();
  space.style.height = `${visible.length * height}px`;
  const first = Math.max(0, Math.floor(tree.scrollTop / height) - 2);
  const last = Math.min(visible.length, Math.ceil((tree.scrollTop + tree.clientHeight) / height) + 2);
  const shown = visible.slice(first, last).map((index, offset) => drawRow(index, (first + offset) * height));
  space.replaceChildren(...shown);
  const current = document.querySelector(`#row-${selected}`);
  if (current) tree.setAttribute('aria-activedescendant', current.id);
  else tree.removeAttribute('aria-activedescendant');
}

function drawRow(index: number, top: number): HTMLElement {
  const item = element('div');
  const row = rows[index];
  if (!row) return item;
  item.id = `row-${index}`;
  const inside = failedWithin(index).length;
  item.className = `row${index === selected ? ' selected' : ''}${row.ok && inside === 0 ? '' : ' failed'}`;
  item.style.top = `${top}px`;
  item.setAttribute('role', 'treeitem');
  item.setAttribute('aria-level', String(row.depth + 1));
  item.setAttribute('aria-posinset', String(row.place));
  item.setAttribute('aria-setsize', String(row.siblings));
  item.setAttribute('aria-selected', String(index === selected));
  if (hasChildren(index)) item.setAttribute('aria-expanded', String(row.open));
  const failed = [row.ok ? '' : 'failed', inside > 0 ? `${inside} failed inside` : ''];
  const said = [row.label, ...failed, `from ${seconds(row.from)}`, `took ${seconds(row.length)}`];
  item.setAttribute('aria-label', said.filter(Boolean).join(', '));
  const label = element('span');
  label.className = 'label';
  label.style.paddingLeft = `${4 + Math.min(row.depth, 12) * (narrow.matches ? 8 : 12)}px`;
  if (!narrow.matches) label.style.width = `${track().left - 8}px`;
  const mark = element('span', hasChildren(index) ? (row.open ? '▾' : '▸') : '');
  mark.className = 'mark';
  const name = element('span', row.label);
  name.className = 'name';
  const took = element(
    'span',
    [row.ok ? '' : 'failed', inside > 0 ? `${inside} failed` : '', seconds(row.length)].filter(Boolean).join(' · '),
  );
  took.className = 'took';
  label.append(mark, name, took);
  item.append(label);
  return item;
}

function drawBars(): void {
  const ratio = devicePixelRatio;
  const { clientWidth, clientHeight, scrollTop } = tree;
  canvas.width = clientWidth * ratio;
  canvas.height = clientHeight * ratio;
  canvas.style.width = `${clientWidth}px`;
  canvas.style.height = `${clientHeight}px`;
  const pen = canvas.getContext('2d');
  if (!pen) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`);
  const { left, width } = track();
  const height = rowHeight();
  pen.scale(ratio, ratio);
  pen.fillStyle = colour('grid');
  const ticks = [...axis.children].flatMap((tick) =>
    tick instanceof HTMLElement ? [parseFloat(tick.style.left)] : [],
  );
  if (!narrow.matches) for (const x of ticks) pen.fillRect(x, 0, 1, clientHeight);
  pen.beginPath();
  pen.rect(left - 5, 0, width + 10, clientHeight);
  pen.clip();
  const bar = (row: Row, top: number, thick: number, name = row.category) => {
    const from = Math.max(-2, xOf(row.from, width));
    const to = Math.min(width + 2, xOf(row.from + row.length, width));
    if (to < -1 || from > width + 1) return;
    pen.fillStyle = colour(name);
    pen.fillRect(left + from, top, Math.max(1.5, to - from), thick);
    if (!row.ok) {
      pen.strokeStyle = colour('failed');
      pen.lineWidth = 2;
      pen.strokeRect(left + from, top, Math.max(3, to - from), thick);
    }
  };
  const first = Math.max(0, Math.floor(scrollTop / height));
  const last = Math.min(visible.length, Math.ceil((scrollTop + clientHeight) / height));
  for (let at = first; at < last; at += 1) {
    const index = visible[at] ?? 0;
    const row = rows[index];
    if (!row) continue;
    const top = at * height - scrollTop + (narrow.matches ? 26 : 5);
    const thick = height - (narrow.matches ? 32 : 10);
    // On a narrow page the names stand above the bars, where lines would cross them.
    pen.fillStyle = colour('grid');
    if (narrow.matches) for (const x of ticks) pen.fillRect(x, top - 2, 1, thick + 4);
    if (row.waited > 0) {
      pen.globalAlpha = 0.35;
      bar({ ...row, from: row.from - row.waited, length: row.waited, ok: true }, top + thick / 3, thick / 3);
      pen.globalAlpha = 1;
    }
    const parts = row.open ? [] : paintedWithin(index);
    if (row.unreported) pen.globalAlpha = 0.35;
    bar(row, top, parts.length > 0 && row.category !== 'attempt' ? 3 : thick);
    pen.globalAlpha = 1;
    const [partTop, partThick] = row.category === 'attempt' ? [top, thick] : [top + 4, thick - 4];
    if (parts.length * 2 < width) for (const part of parts) bar(part, partTop, partThick);
    else
      for (const { x, category } of columnsOf(parts, width)) {
        pen.fillStyle = colour(category);
        pen.fillRect(left + x, partTop, 1, partThick);
      }
    pen.strokeStyle = colour('failed');
    pen.lineWidth = 2;
    for (const { from, length } of row.ok ? failedWithin(index) : [row])
      pen.strokeRect(
        left + xOf(from, width),
        partTop,
        Math.max(2, (length / (view.to - view.from)) * width),
        partThick,
      );
    pen.fillStyle = colour('text');
    for (const { at: when } of row.events) {
      const x = left + xOf(when, width);
      pen.beginPath();
      pen.moveTo(x, top - 3);
      pen.lineTo(x + 4, top + 1);
      pen.lineTo(x, top + 5);
      pen.lineTo(x - 4, top + 1);
      pen.fill();
    }
  }
}

/** Of more spans than can be told apart, what took most of the time of each pixel. */
function columnsOf(parts: Row[], width: number): { x: number; category: string }[] {
  const columns = new Map<number, { x: number; category: string; most: number; covered: Map<string, number> }>();
  for (const { from, length, category } of parts) {
    const start = xOf(from, width);
    const end = xOf(from + length, width);
    for (let x = Math.max(0, Math.floor(start)); x <= Math.min(width, end); x += 1) {
      const column = columns.get(x) ?? { x, category, most: 0, covered: new Map<string, number>() };
      const share = (column.covered.get(category) ?? 0) + Math.min(end, x + 1) - Math.max(start, x);
      column.covered.set(category, share);
      if (share > column.most) Object.assign(column, { most: share, category });
      columns.set(x, column);
    }
  }
  return [...columns.values()];
}

/** Attempts that failed inside a folded row. */
function failedWithin(index: number): Row[] {
  const row = rows[index];
  if (!row || row.open) return [];
  return rows.slice(index + 1, row.end).filter(({ ok, category }) => !ok && category === 'attempt');
}

/** What a folded row shows of the rows below it: the phases of its attempts, or else what it holds. */
function paintedWithin(index: number): Row[] {
  const row = rows[index];
  if (!row) return [];
  const below = rows.slice(index + 1, row.end);
  const phases = below.filter(({ category }) => PHASES.has(category));
  return phases.length > 0 ? phases : below.filter(({ parent, category }) => parent === index && category !== 'timer');
}

/** Draws at the next frame, once, however often it is asked. */
function draw(): void {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    drawAxis();
    drawRows();
    drawBars();
  });
}

function refold(): void {
  visible = listVisible();
  if (!visible.includes(selected)) selected = visible.findLast((index) => index <= selected) ?? 0;
  draw();
}

function select(index: number): void {
  selected = index;
  const at = visible.indexOf(index);
  const height = rowHeight();
  if (at * height < tree.scrollTop) tree.scrollTop = at * height;
  if ((at + 1) * height > tree.scrollTop + tree.clientHeight) tree.scrollTop = (at + 1) * height - tree.clientHeight;
  describe(index);
  draw();
}

function describe(index: number): void {
  const row = rows[index];
  if (!row) return;
  const list = element('dl');
  const say = (term: string, text: string) => {
    const pair = element('div');
    pair.append(element('dt', term), element('dd', text));
    list.append(pair);
  };
  say('starts', `${moment(row.from)} (${seconds(row.from)})`);
  say('ends', `${moment(row.from + row.length)} (${seconds(row.from + row.length)})`);
  say(
    'takes',
    [seconds(row.length), percent(row.length) && `${percent(row.length)} of the job`].filter(Boolean).join(', '),
  );
  if (row.waited > 0) say('waited before', seconds(row.waited));
  say('result', row.unreported ? 'not reported' : row.ok ? 'ok' : 'failed');
  say('name', row.name);
  say('reported by', row.role);
  for (const [key, value] of Object.entries(row.dimensions)) say(key, value);
  say('id', row.id);
  const parts = [element('h2', row.label), list];
  for (const event of row.events) {
    const numbers = Object.entries({ ...event.dimensions, ...event.measurements }).map(
      ([key, value]) => `${key} ${value}`,
    );
    parts.push(element('p', `◆ ${event.name} at ${moment(event.at)}: ${numbers.join(', ')}`));
  }
  details.replaceChildren(...parts);
}

function zoom(factor: number, around = (view.from + view.to) / 2): void {
  show(around - (around - view.from) * factor, around + (view.to - around) * factor);
}

/** Shows a stretch of time, as far as there is any. */
function show(from: number, to: number): void {
  const length = Math.min(Math.max(to - from, LEAST_MS), Math.max(whole.to - whole.from, LEAST_MS));
  const start = Math.min(Math.max(from, whole.from), Math.max(whole.to - length, whole.from));
  view = { from: start, to: start + length };
  draw();
}

function showRow(index: number): void {
  const row = rows[index];
  if (!row) return;
  const room = Math.max(row.length * 0.04, 1);
  show(row.from - row.waited - room, row.from + row.length + room);
}

function fold(index: number, open: boolean): void {
  const row = rows[index];
  if (row && hasChildren(index)) row.open = open;
  refold();
}

function foldAll(open: boolean): void {
  for (const row of rows) row.open = open;
  refold();
  select(selected);
}

const pan = (part: number) => show(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);

/** What a key does on the tree. */
const KEYS: Record<string, () => void> = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  PageDown: () => step(Math.floor(tree.clientHeight / rowHeight())),
  PageUp: () => step(-Math.floor(tree.clientHeight / rowHeight())),
  Home: () => select(visible[0] ?? 0),
  End: () => select(visible.at(-1) ?? 0),
  ArrowRight: () => (rows[selected]?.open === false && hasChildren(selected) ? fold(selected, true) : step(1)),
  ArrowLeft: () => {
    const row = rows[selected];
    if (row?.open && hasChildren(selected)) fold(selected, false);
    else if (row && row.parent >= 0) select(row.parent);
  },
  ' ': () => fold(selected, rows[selected]?.open === false),
  Enter: () => showRow(selected),
  '+': () => zoom(0.5),
  '=': () => zoom(0.5),
  '-': () => zoom(2),
  '0': () => show(0, data.length),
  '*': () => foldAll(true),
  '/': () => foldAll(false),
  'Shift+ArrowRight': () => pan(0.25),
  'Shift+ArrowLeft': () => pan(-0.25),
};

function step(by: number): void {
  const at = Math.min(Math.max(visible.indexOf(selected) + by, 0), visible.length - 1);
  select(visible[at] ?? selected);
}

/** The row, and of a folded one the span on it, at a place of the window. */
function spanAt({
  clientX,
  clientY,
}: MouseEvent): { index: number; span: Row | undefined; onTrack: boolean } | undefined {
  const box = tree.getBoundingClientRect();
  const index = visible[Math.floor((clientY - box.top - tree.clientTop + tree.scrollTop) / rowHeight())];
  const row = index === undefined ? undefined : rows[index];
  if (index === undefined || !row) return undefined;
  const { left, width } = track();
  const x = clientX - box.left - left;
  const ms = msOf(x, width);
  const slack = ((view.to - view.from) / width) * 2;
  const holds = ({ from, length }: Row) => ms >= from - slack && ms <= from + length + slack;
  const part = row.open ? undefined : paintedWithin(index).find(holds);
  const line = (clientY - box.top + tree.scrollTop) % rowHeight();
  return { index, span: part ?? (holds(row) ? row : undefined), onTrack: narrow.matches ? line > 22 : x >= 0 };
}

let drag: { x: number; from: number; to: number; moved: boolean } | undefined;

function point(event: PointerEvent): void {
  const { width } = track();
  if (drag && event.buttons === 1) {
    const moved = event.clientX - drag.x;
    drag.moved ||= Math.abs(moved) > 4;
    const by = (moved / width) * (drag.to - drag.from);
    if (drag.moved) show(drag.from - by, drag.to - by);
  }
  const found = spanAt(event);
  tip.hidden = !found?.onTrack || !found.span || event.buttons !== 0;
  if (tip.hidden || !found?.span) return;
  const { span, index } = found;
  const holder = rows[span.parent];
  const lines = [
    span !== rows[index] && holder && holder !== rows[index] ? `${span.label} of ${holder.label}` : span.label,
    `${seconds(span.length)} from ${seconds(span.from)}${span.waited > 0 ? `, waited ${seconds(span.waited)}` : ''}`,
    span.unreported ? 'not reported' : span.ok ? '' : 'failed',
  ];
  tip.replaceChildren(...lines.filter(Boolean).map((line) => element('div', line)));
  const { offsetWidth, offsetHeight } = tip;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - offsetWidth - 8))}px`;
  tip.style.top = `${event.clientY + 18 + offsetHeight > innerHeight ? event.clientY - offsetHeight - 10 : event.clientY + 18}px`;
}

function listen(): void {
  tree.addEventListener('scroll', draw);
  tree.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.shiftKey && event.key.startsWith('Arrow') ? `Shift+${event.key}` : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  tree.addEventListener('pointerdown', (event) => {
    if (event.pointerType !== 'mouse' || spanAt(event)?.onTrack)
      drag = { x: event.clientX, from: view.from, to: view.to, moved: false };
  });
  tree.addEventListener('pointermove', point);
  tree.addEventListener('pointerleave', () => {
    tip.hidden = true;
    drag = undefined;
  });
  tree.addEventListener('click', (event) => {
    const dragged = drag?.moved;
    drag = undefined;
    const found = spanAt(event);
    if (!found || dragged) return;
    const onMark = event.target instanceof Element && event.target.closest('.mark') !== null;
    select(found.index);
    if (onMark) fold(found.index, rows[found.index]?.open === false);
  });
  tree.addEventListener('dblclick', (event) => {
    const found = spanAt(event);
    if (found?.onTrack) showRow(found.index);
    else if (found) fold(found.index, rows[found.index]?.open === false);
  });
  tree.addEventListener(
    'wheel',
    (event) => {
      const { left, width } = track();
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(1.0015 ** event.deltaY, msOf(event.clientX - tree.getBoundingClientRect().left - left, width));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        pan((event.deltaX || event.deltaY) / width);
      }
    },
    { passive: false },
  );
  for (const button of document.querySelectorAll('button[data-key]'))
    button.addEventListener('click', () => KEYS[button.getAttribute('data-key') ?? '']?.());
  for (const change of [narrow, matchMedia('(prefers-color-scheme: dark)')]) change.addEventListener('change', draw);
  new ResizeObserver(draw).observe(tree);
}

listen();
openAtFirst();
refold();
describe(selected);
