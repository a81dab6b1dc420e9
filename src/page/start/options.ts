import type { ListedModel } from '../../api/models.js';
import { FRAME_FORMATS, QUALITIES, VIDEO_CODECS } from '../../job/items/formats.js';
import { html, type Markup } from '../html.js';
import { type Draft, makesVideo } from './draft.js';
import type { Start, Trouble } from './start.js';

/** What the app says against a field, beside it. */
export function Wrong({ start, field }: { start: Start; field: Trouble['field'] }): Markup {
  const { value: trouble } = start.trouble;
  if (trouble === undefined || trouble.field !== field) return null;
  return html`<p class="wrong" role="alert" id=${`wrong-${field}`}>${trouble.message}</p>`;
}

type Name = { [key in keyof Draft]: Draft[key] extends boolean ? never : key }[keyof Draft];
type Flag = { [key in keyof Draft]: Draft[key] extends boolean ? key : never }[keyof Draft];

/** The few that people use, and the rest folded. */
export function Options({ start, model }: { start: Start; model: ListedModel | undefined }): Markup {
  const { draft, picked } = start;
  const kind = picked.value?.kind ?? 'video';
  const asVideo = makesVideo(kind, draft.value);
  const draws = model?.gives === 'classes' || model?.gives === 'detections' || model?.gives === 'mask';
  const isLossless = draft.value.codec === 'ffv1';
  const common = { start };
  return html`<section class="card" aria-labelledby="options-title">
    <h2 id="options-title">Options</h2>
    <div class="fields">
      ${
        asVideo &&
        html`<${Choice} ...${common} name="quality" label="Quality" disabled=${isLossless} choices=${qualities} />
          <${Choice} ...${common} name="codec" label="Codec" choices=${codecs} />`
      }
      <${Text} ...${common} name="maxParallel" label="Containers at once" hint="As suits the compute" mode="numeric" />
      <${Text} ...${common} name="tolerate" label="Items that may fail" hint="None; a number, or 2%" />
    </div>
    ${draws && asVideo && html`<${Check} ...${common} name="draw" label="Draw what it finds into the video" />`}
    <details>
      <summary>More</summary>
      <div class="fields">
        ${
          kind === 'images' &&
          html`<${Text} ...${common} name="frameRate" label="Images a second" hint="Makes a video: 24" />`
        }
        <${Text} ...${common} name="output" label="Name of the result" hint=${asVideo ? 'painted.mp4' : 'painted/'} />
        <${Choice} ...${common} name="compute" label="Runs on" choices=${computes} />
        <${Choice} ...${common} name="gpu" label="GPU" choices=${gpus} />
        <${Text} ...${common} name="batchSize" label="Items in a batch" hint="The same work for each" mode="numeric" />
        <${Choice}
          ...${common}
          name="frameFormat"
          label="Pictures are stored as"
          choices=${asVideo ? frames : pictures}
        />
        ${kind === 'video' && html`<${Choice} ...${common} name="onDamage" label="A damaged video" choices=${damages} />`}
      </div>
      <${Check} ...${common} name="reuse" label="Copy what was scored in the same way before" />
      ${asVideo && html`<${Check} ...${common} name="keepFrames" label="Keep the frames" />`}
      <${Check} ...${common} name="overwrite" label="Replace what has the same name" />
    </details>
  </section>`;
}

type Choices = [value: string, label: string][];

const QUALITY_WORDS = { small: 'Small, for sending', good: 'Good', best: 'Best, for further work' };
const qualities: Choices = [
  ['', 'Usual (good)'],
  ...QUALITIES.filter((each) => each !== 'good').map((each): [string, string] => [each, QUALITY_WORDS[each]]),
];
const CODEC_WORDS = {
  h264: 'H.264, plays everywhere',
  h265: 'H.265, smaller',
  vp9: 'VP9, free',
  ffv1: 'FFV1, lossless',
};
const codecs = VIDEO_CODECS.map((each): [string, string] => [each, CODEC_WORDS[each]]);
const FORMAT_WORDS = { ppm: 'PPM, the pixels as they are', png: 'PNG, lossless', jpg: 'JPEG, small' };
const frames: Choices = [['', 'Usual'], ...FRAME_FORMATS.map((each): [string, string] => [each, FORMAT_WORDS[each]])];
const pictures = frames.filter(([value]) => value !== 'ppm');
const computes: Choices = [
  ['', 'The machine of the app'],
  ['aci', 'Azure Container Instances'],
  ['container-apps', 'Azure Container Apps'],
];
const gpus: Choices = [
  ['', 'None'],
  ['prefer', 'If there is one'],
  ['require', 'Required'],
];
const damages: Choices = [
  ['fail', 'fails the job'],
  ['keep', 'is kept up to the break'],
];

interface FieldOf<T> {
  start: Start;
  name: T;
  label: string;
}

function usual({ start, name }: FieldOf<keyof Draft>) {
  const isWrong = start.trouble.value?.field === name;
  return { id: `field-${name}`, 'aria-invalid': isWrong, 'aria-describedby': isWrong ? `wrong-${name}` : undefined };
}

function set(start: Start, name: keyof Draft, value: string | boolean): void {
  start.draft.value = { ...start.draft.value, [name]: value };
}

function Text(field: FieldOf<Name> & { hint: string; mode?: string }): Markup {
  const { start, name, label, hint, mode } = field;
  const typed = (event: Event) => set(start, name, (event.currentTarget as HTMLInputElement).value);
  return html`<div class="field">
    <label for=${`field-${name}`}>${label}</label>
    <input
      ...${usual(field)}
      value=${start.draft.value[name]}
      placeholder=${hint}
      inputmode=${mode}
      autocomplete="off"
      onInput=${typed}
    />
    <${Wrong} start=${start} field=${name} />
  </div>`;
}

function Choice(field: FieldOf<Name> & { choices: Choices; disabled?: boolean }): Markup {
  const { start, name, label, choices, disabled } = field;
  const chosen = (event: Event) => set(start, name, (event.currentTarget as HTMLSelectElement).value);
  const { value } = { value: start.draft.value[name] };
  return html`<div class="field">
    <label for=${`field-${name}`}>${label}</label>
    <select ...${usual(field)} disabled=${disabled} onChange=${chosen}>
      ${choices.map(([each, words]) => html`<option key=${each} value=${each} selected=${each === value}>${words}</option>`)}
    </select>
    <${Wrong} start=${start} field=${name} />
  </div>`;
}

function Check(field: FieldOf<Flag>): Markup {
  const { start, name, label } = field;
  const switched = (event: Event) => set(start, name, (event.currentTarget as HTMLInputElement).checked);
  return html`<label class="check">
      <input type="checkbox" ...${usual(field)} checked=${start.draft.value[name]} onChange=${switched} /> ${label}
    </label>
    <${Wrong} start=${start} field=${name} />`;
}
