import { z } from 'zod';
import { hideSecrets, shorten } from './failure.js';

const QUEUE = 'must be the name of a queue: 3 to 63 small letters, digits and single hyphens';
const WEBHOOK = 'must be an https URL without a login or key, on port 443, of at most 400 characters';
const MOST_CHOICES = 3;

/** Where one account is all, it has the queues of the host and of the task hub, too; what the host cannot read there stops it. */
const HOSTS_OWN = /^(azure-webjobs|webjobs|batchscoring)-/;

const queue = z
  .string()
  .regex(/^(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])+$/, QUEUE)
  .refine((name) => !name.startsWith('inbox-events'), 'is where new media arrives; name another queue')
  .refine((name) => !HOSTS_OWN.test(name), "is the Functions host's own; name another queue");

const isWebhook = (text: string) => {
  if (text.length > 400 || !URL.canParse(text)) return false;
  const { protocol, port, username, password } = new URL(text);
  // It is kept in the job's records and its history, where no secret may be.
  return protocol === 'https:' && port === '' && username === '' && password === '' && hideSecrets(text) === text;
};

/** Where the end of a job is told, besides its done file. */
export const noticeChoices = z
  .array(
    z.union(
      [
        z.strictObject({ queue }),
        z.strictObject({ eventGrid: z.literal(true) }),
        z.strictObject({
          webhook: z.string().refine(isWebhook, WEBHOOK),
          /** Ends the name of the setting that holds it: `WEBHOOK_SECRET_…`. */
          secret: z
            .string()
            .regex(/^[A-Z0-9_]{1,40}$/, 'must be a name in capitals: the setting WEBHOOK_SECRET_NAME holds the secret'),
        }),
      ],
      'must be {"queue": NAME}, {"eventGrid": true} or {"webhook": URL, "secret": NAME}',
    ),
  )
  .max(MOST_CHOICES, `has more than ${MOST_CHOICES} places`);

export type NoticeChoice = z.output<typeof noticeChoices>[number];

/** What there is to tell of a job that has ended. */
export interface JobEnd {
  jobId: string;
  outcome: 'done' | 'failed' | 'cancelled';
  message: string;
  /** Path in the media account. */
  output: string | undefined;
  /** URL without a signature. */
  manifest: string;
  /** Path of what started it in the inbox; undefined of a job that a request started. */
  startedBy: string | undefined;
  /** ISO 8601. */
  finishedAt: string;
}

/**
 * A notice as CloudEvents 1.0, the same wherever it goes.
 * @param id the same whenever this notice is sent again, so that its reader can tell.
 */
export const noticeOf = (id: string, { jobId, outcome, message, output, manifest, startedBy, finishedAt }: JobEnd) => ({
  specversion: '1.0',
  id,
  source: '/durable-batch-scoring',
  subject: jobId,
  type: 'BatchScoring.JobEnded',
  time: finishedAt,
  datacontenttype: 'application/json',
  data: {
    job: jobId,
    outcome,
    message: shorten(hideSecrets(message)),
    output: output ?? null,
    manifest,
    startedBy: startedBy ?? null,
  },
});

export type Notice = ReturnType<typeof noticeOf>;

const PAUSES_SECONDS = [10, 60, 300, 1800];

/** Seconds before the second, third … try; undefined when there is none. */
export const delayBeforeTry = (attempt: number): number | undefined => PAUSES_SECONDS[attempt - 2];
