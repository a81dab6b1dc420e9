import { batch, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ListedModel, ModelList } from '../../api/models.js';
import type { Plan } from '../../api/plan.js';
import type { App } from '../app.js';
import { Refusal } from '../connection.js';
import { size } from '../words.js';
import { type Draft, EMPTY_DRAFT, type fieldOf, saidOf, specOf, type Uploaded } from './draft.js';
import { type Chosen, pick, type Picked } from './picked.js';
import { createUploads, putByBrowser } from './uploads.js';

/** How far a file is on its way to storage. */
export interface Upload {
  bytes: number;
  total: number;
  /** Milliseconds since the epoch. */
  beganAt: number;
  /** What a job names, once all is there. */
  path: string | undefined;
  trouble: string | undefined;
}

export interface Trouble {
  /** Beside which field it belongs. */
  field: ReturnType<typeof fieldOf>;
  message: string;
}

/** A job that is about to be started: what is chosen, what of it is in storage, and what it would take. */
export interface Start {
  picked: ReadonlySignal<Picked | undefined>;
  upload: ReadonlySignal<Upload | undefined>;
  style: ReadonlySignal<File | undefined>;
  styleUpload: ReadonlySignal<Upload | undefined>;
  models: ReadonlySignal<ListedModel[] | undefined>;
  draft: Signal<Draft>;
  /** `asking` while the app works it out; undefined: nothing is to be said. */
  plan: ReadonlySignal<Plan | 'asking' | undefined>;
  trouble: ReadonlySignal<Trouble | undefined>;
  /** `waiting`: as soon as all is uploaded. */
  starting: ReadonlySignal<'no' | 'waiting' | 'now'>;
  choose: (files: readonly Chosen[]) => void;
  chooseStyle: (files: readonly Chosen[]) => void;
  forget: () => void;
  start: () => void;
  stop: () => void;
}

/** What is typed is complete when nothing follows it for so long. */
const SETTLED_MS = 400;
const AGAIN_MS = [500, 2000, 5000];

export function createStart(app: App): Start {
  const { connection, clock } = app;
  const picked = signal<Picked | undefined>(undefined);
  const upload = signal<Upload | undefined>(undefined);
  const style = signal<File | undefined>(undefined);
  const styleUpload = signal<Upload | undefined>(undefined);
  const models = signal<ListedModel[] | undefined>(undefined);
  const draft = signal<Draft>(EMPTY_DRAFT);
  const plan = signal<Plan | 'asking' | undefined>(undefined);
  const trouble = signal<Trouble | undefined>(undefined);
  const starting = signal<'no' | 'waiting' | 'now'>('no');
  const over = new AbortController();
  let uploading = new AbortController();
  let uploadingStyle = new AbortController();
  const pause = (milliseconds: number) => new Promise<void>((resolve) => void clock.after(milliseconds, resolve));
  const uploads = createUploads(connection, putByBrowser, pause);

  const tell = (error: unknown, field?: Trouble['field']) => {
    const message = error instanceof Refusal ? error.message : 'The page has an error; load it again.';
    const uploaded: Uploaded[] = [
      { field: 'input', path: upload.value?.path ?? '', name: picked.value?.name ?? '' },
      { field: 'style', path: styleUpload.value?.path ?? '', name: style.value?.name ?? '' },
    ];
    const said = saidOf(
      message,
      uploaded.filter(({ path }) => path !== ''),
    );
    trouble.value = { ...said, field: field ?? said.field };
  };

  /** Sends something to storage, and says how far that is. */
  async function follow(
    to: Signal<Upload | undefined>,
    total: number,
    signalOf: AbortSignal,
    send: (options: Parameters<typeof uploads.uploadFile>[2]) => Promise<string>,
  ): Promise<void> {
    const begun: Upload = { bytes: 0, total, beganAt: clock.now(), path: undefined, trouble: undefined };
    to.value = begun;
    const set = (changes: Partial<Upload>) => {
      if (!signalOf.aborted) to.value = { ...(to.value ?? begun), ...changes };
    };
    try {
      const path = await send({ signal: signalOf, onProgress: (bytes) => set({ bytes }) });
      set({ bytes: total, path });
    } catch (error) {
      set({ trouble: error instanceof Refusal ? error.message : 'The upload failed; choose the file again.' });
    }
  }

  function choose(files: readonly Chosen[]): void {
    const found = pick(files);
    if ('problem' in found) {
      trouble.value = { field: 'input', message: found.problem };
      return;
    }
    uploading.abort();
    uploading = new AbortController();
    batch(() => {
      trouble.value = undefined;
      picked.value = found;
      plan.value = undefined;
    });
    app.say(`${found.name}, ${size(found.bytes)}, is being uploaded.`);
    void follow(upload, found.bytes, uploading.signal, (options) =>
      found.kind === 'video' ? uploads.uploadFile('video', found.file, options) : uploads.uploadImages(found, options),
    );
  }

  function chooseStyle([chosen]: readonly Chosen[]): void {
    if (!chosen) return;
    uploadingStyle.abort();
    uploadingStyle = new AbortController();
    style.value = chosen.file;
    if (trouble.value?.field === 'style') trouble.value = undefined;
    void follow(styleUpload, chosen.file.size, uploadingStyle.signal, (options) =>
      uploads.uploadFile('style', chosen.file, options),
    );
  }

  /** `maybe`: only the model's file would tell. */
  const takesStyle = () => {
    const { takesStyle: takes = false } = models.value?.find(({ name }) => name === draft.value.model) ?? {};
    return takes ?? (style.value ? true : 'maybe');
  };

  /** The specification once all that it names is in storage. */
  function complete(): object | undefined {
    const { value: chosen } = picked;
    const path = upload.value?.path;
    const needsStyle = takesStyle() === true;
    const stylePath = needsStyle ? styleUpload.value?.path : undefined;
    if (!chosen || path === undefined || draft.value.model === '' || (needsStyle && stylePath === undefined))
      return undefined;
    return specOf(draft.value, { kind: chosen.kind, path }, stylePath);
  }

  let asking = new AbortController();
  let cancelAsk: () => void = () => undefined;
  const endPlans = effect(() => {
    const spec = complete();
    asking.abort();
    cancelAsk();
    plan.value = spec ? 'asking' : undefined;
    if (!spec) return;
    cancelAsk = clock.after(SETTLED_MS, () => void ask(spec));
  });

  async function ask(spec: object): Promise<void> {
    asking = new AbortController();
    const { signal: aborted } = asking;
    try {
      const answer = await connection.send<Plan>('POST', 'plan', spec);
      if (aborted.aborted) return;
      batch(() => {
        plan.value = answer;
        trouble.value = undefined;
      });
    } catch (error) {
      if (aborted.aborted) return;
      plan.value = undefined;
      tell(error);
    }
  }

  async function startNow(spec: object): Promise<void> {
    starting.value = 'now';
    // The same for every time that it is sent, so that a lost answer starts no second job.
    const headers = { 'idempotency-key': crypto.randomUUID() };
    for (let tries = 0; ; tries += 1) {
      try {
        const { id } = await connection.send<{ id: string }>('POST', 'jobs', spec, headers);
        app.say('The job has started.');
        app.go({ view: 'job', id });
        return;
      } catch (error) {
        const isLost = error instanceof Refusal && (error.status === 0 || error.status >= 500);
        const wait = AGAIN_MS[tries];
        if (isLost && wait !== undefined && !over.signal.aborted) {
          await pause(wait);
          continue;
        }
        starting.value = 'no';
        tell(error);
        return;
      }
    }
  }

  const endStarts = effect(() => {
    if (starting.value !== 'waiting') return;
    const spec = complete();
    if (spec) void startNow(spec);
    else if (upload.value?.trouble !== undefined || styleUpload.value?.trouble !== undefined) starting.value = 'no';
  });

  async function loadModels(): Promise<void> {
    try {
      const list = await connection.get<ModelList>('models', over.signal);
      const [first] = list.models;
      batch(() => {
        models.value = list.models;
        if (first && draft.value.model === '') draft.value = { ...draft.value, model: first.name };
      });
    } catch (error) {
      if (!over.signal.aborted) tell(error, 'model');
    }
  }
  void loadModels();

  return {
    picked,
    upload,
    style,
    styleUpload,
    models,
    draft,
    plan,
    trouble,
    starting,
    choose,
    chooseStyle,
    forget: () => {
      uploading.abort();
      batch(() => {
        picked.value = undefined;
        upload.value = undefined;
        plan.value = undefined;
        starting.value = 'no';
      });
    },
    start: () => {
      if (!picked.value) trouble.value = { field: 'input', message: 'Choose a video or pictures first.' };
      else if (takesStyle() === true && !style.value)
        trouble.value = { field: 'style', message: 'This model paints in the style of a picture; choose one.' };
      else starting.value = 'waiting';
    },
    stop: () => {
      over.abort();
      uploading.abort();
      uploadingStyle.abort();
      asking.abort();
      cancelAsk();
      endPlans();
      endStarts();
    },
  };
}
