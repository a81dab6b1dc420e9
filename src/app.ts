import { app, type HttpMethod } from '@azure/functions';
import * as df from 'durable-functions';
import { createPlanJob } from './activities/prepare/plan-job.js';
import { createActivities } from './activities/index.js';
import { createBlobLedgers } from './compute/aci/create-budget.js';
import { createLogin } from './compute/azure/login.js';
import { createComputes } from './compute/computes.js';
import { readConfig } from './config.js';
import { returnFailure } from './activities/return-failure.js';
import { giveUpSilentRequests, isPassing } from './container-contract/storage-access.js';
import {
  APP_SECRETS,
  CALLERS_SALT_BLOB,
  createLedgerBlob,
  INBOX_QUEUE,
  LIMITS,
  SEALING_KEY_BLOB,
} from './job-store/layout.js';
import { freeBytesOf } from './job-store/local-copy.js';
import { confinement, createMedia, findFfmpeg } from './media/media.js';
import { createUrls } from './internet/fetch-url.js';
import { createNotices } from './notices/send.js';
import { createWebhooks } from './notices/webhook.js';
import { chunkLane } from './orchestrators/chunk-lane.js';
import type { OfRun } from './job/run.js';
import { itemLane } from './orchestrators/item-lane.js';
import { scoreLanes } from './orchestrators/lane-group.js';
import { scoreBatch } from './orchestrators/score-batch.js';
import { scoreJob } from './orchestrators/score-job.js';
import { scoreLane } from './orchestrators/score-lane.js';
import { createModelInspector } from './scorer/engine/inspect/inspect.js';
import { readAppSecret } from './storage/app-secret.js';
import { createLetIn } from './storage/page-access.js';
import { openStorage } from './storage/storage.js';
import { watchRefusals } from './storage/refusals.js';
import { createTelemetry } from './telemetry/telemetry.js';
import { createCancelJob } from './triggers/jobs/cancel-job.js';
import { createCreateUpload } from './triggers/create-upload.js';
import { createCallers, createGetCaller } from './triggers/callers.js';
import { type Handler, takesJson } from './triggers/http.js';
import { createGetJob } from './triggers/jobs/get-job.js';
import { createListBatches } from './triggers/jobs/job-batches.js';
import { createGetFile, createListFiles } from './triggers/jobs/job-files.js';
import { createListJobs } from './triggers/jobs/list-jobs.js';
import { createListFrames } from './triggers/jobs/job-frames.js';
import { createListPictures } from './triggers/jobs/job-pictures.js';
import { createGetLogs } from './triggers/jobs/job-logs.js';
import { durableHost } from './triggers/jobs.js';
import { createAdmit } from './triggers/inbox/admit.js';
import { createGetMedia } from './triggers/inbox/get-media.js';
import { createInboxSweep } from './triggers/inbox/inbox-sweep.js';
import { createTakePoison } from './triggers/inbox/poison.js';
import { createTakeMedia } from './triggers/inbox/take-media.js';
import { createListModels } from './triggers/list-models.js';
import { createLauncher } from './triggers/launch.js';
import { createPlan } from './triggers/jobs/plan.js';
import { createRedriveJob } from './triggers/jobs/redrive-job.js';
import { createPage } from './triggers/page.js';
import { createRetire } from './triggers/retire.js';
import { createStartJob } from './triggers/jobs/start-job.js';
import { createJobWatch } from './triggers/job-watch.js';
import { createSweep } from './triggers/sweep.js';

/** The Functions app: reads its settings, makes the ports, and registers every function under the name it has in Azure. */
const config = readConfig(process.env);
giveUpSilentRequests();
const storage = openStorage(config, createLogin);
const readSecret = (blob: string) => readAppSecret(storage.internal.getContainerClient(APP_SECRETS), blob);
const compute = createComputes(config.computes, {
  childEnvironment: config.childEnvironment,
  scorerTuning: config.scorerTuning,
  ledgers: createBlobLedgers(storage.internal.getContainerClient(LIMITS), createLedgerBlob),
  readSealingKey: () => readSecret(SEALING_KEY_BLOB),
});
/** For what goes on between invocations and so has no log of one to go to. */
const warn = (message: string) => console.warn(message);
const telemetry = createTelemetry(config.telemetry, { login: createLogin, warn });
const { storageFolder } = config;
const ports = {
  storage,
  media: createMedia(findFfmpeg(config, config.searchPath), {
    limits: config.mediaLimits,
    environment: config.childEnvironment,
    confinement: confinement(config.searchPath),
  }),
  compute,
  inspectModel: createModelInspector(config.childEnvironment),
  telemetry,
  notices: createNotices(config.notices, {
    queues: storage.mediaQueues,
    webhook: createWebhooks(),
    login: createLogin,
  }),
  chunkFrames: config.chunkFrames,
  tempFolder: config.tempFolder,
  ...(storageFolder !== undefined && { freeBytes: () => freeBytesOf(storageFolder) }),
  bundledModels: config.bundledModels,
  prices: config.prices,
  limits: config.inbox.limits,
  dailyLimits: config.dailyLimits,
  ownership: config.callers.ownership,
  codec: config.scorerTuning.SCORER_CODEC,
  urls: createUrls(config.urls),
};

for (const { name, run } of [scoreJob, scoreLanes, scoreLane, scoreBatch, chunkLane, itemLane])
  df.app.orchestration(name, run);

const durableClient = [df.input.durableClient()];
const activities = createActivities(ports);
const refusal = watchRefusals(storage);
const watch = createJobWatch({ ...ports, finishJob: activities.finishJob }, warn);
for (const [name, activity] of Object.entries(activities)) {
  const handler = returnFailure(name, activity, isPassing);
  df.app.activity(name, {
    extraInputs: durableClient,
    handler: (input: OfRun & { batch?: number }, context) =>
      watch.during({ activity: name, ...input }, df.getClient(context), () => handler(input, context)),
  });
}

const waitingHere = (id: string) => {
  const reason = refusal();
  return reason === undefined ? watch.waiting(id) : [{ reason }, ...watch.waiting(id)];
};
const callers = createCallers(storage, config.callers, () => readSecret(CALLERS_SALT_BLOB));
const launcher = createLauncher({ ...ports, host: durableHost });
// Before functions without keys stands App Service authentication.
const http = { authLevel: config.callers.authentication === 'entra' ? 'anonymous' : 'function' } as const;
const withClient = { ...http, extraInputs: durableClient };
/** A function of one job, for those who may see it. */
const jobRoute = (name: string, method: HttpMethod, route: string, handler: Handler) =>
  app.http(name, { ...withClient, methods: [method], route: `jobs/{id}${route}`, handler: callers.ofJob(handler) });

app.http('startJob', {
  ...withClient,
  methods: ['POST'],
  route: 'jobs',
  handler: takesJson(createStartJob({ ...ports, launcher, callers })),
});
app.http('planJob', {
  ...http,
  methods: ['POST'],
  route: 'plan',
  handler: takesJson(createPlan({ ...ports, callers, planJob: createPlanJob(ports) })),
});
app.http('listJobs', {
  ...withClient,
  methods: ['GET'],
  route: 'jobs',
  handler: createListJobs({ ...ports, callers, waitingHere }),
});
jobRoute('getJob', 'GET', '', createGetJob({ ...ports, waitingHere }));
jobRoute('listBatches', 'GET', '/batches', createListBatches({ storage, waitingHere }));
jobRoute('cancelJob', 'DELETE', '', createCancelJob(ports));
jobRoute('redriveJob', 'POST', '/redrive', takesJson(createRedriveJob({ ...ports, launcher, watch })));
jobRoute('getFile', 'GET', '/files/{file}', createGetFile(ports));
jobRoute('listFiles', 'GET', '/files', createListFiles(ports));
jobRoute('listFrames', 'GET', '/frames', createListFrames(ports));
jobRoute('listPictures', 'GET', '/pictures', createListPictures(ports));
jobRoute('getLogs', 'GET', '/logs', createGetLogs(ports));
app.http('createUpload', {
  ...http,
  methods: ['POST'],
  route: 'uploads',
  handler: takesJson(createCreateUpload({ storage, callers })),
});
app.http('listModels', {
  ...http,
  methods: ['GET'],
  route: 'models',
  handler: createListModels({ ...ports, callers }),
});
app.http('getCaller', {
  ...http,
  methods: ['GET'],
  route: 'caller',
  handler: createGetCaller({ ...ports, callers, version: config.version }),
});

// All that has no route of its own: the page, and what there is not.
app.http('page', {
  authLevel: 'anonymous',
  methods: ['GET', 'HEAD'],
  route: '{*file}',
  handler: createPage({
    folder: config.page,
    storageOrigins: [...new Set([storage.media, storage.internal].map(({ url }) => new URL(url).origin))],
    letIn: createLetIn(storage),
  }),
});

app.timer('sweep', {
  schedule: '0 */10 * * * *',
  extraInputs: durableClient,
  handler: createSweep({ ...ports, ...durableHost }),
});

const admit = createAdmit({ ...ports, launcher, waitHours: config.inbox.waitHours });
const { connection } = config.inbox;
app.http('getMedia', { ...http, methods: ['GET'], route: 'inbox', handler: callers.ofAll(createGetMedia(ports)) });
app.storageQueue('takeMedia', {
  queueName: INBOX_QUEUE,
  connection,
  extraInputs: durableClient,
  handler: createTakeMedia({ ...ports, admit }),
});
app.storageQueue('takePoison', { queueName: `${INBOX_QUEUE}-poison`, connection, handler: createTakePoison(ports) });
app.timer('sweepInbox', {
  schedule: config.inbox.sweep,
  extraInputs: durableClient,
  handler: createInboxSweep({ storage, admit, launcher }),
});

app.timer('retire', {
  schedule: '0 20 * * * *',
  extraInputs: durableClient,
  handler: createRetire({ storage, retention: config.retention, ...durableHost }),
});

app.hook.appTerminate(async () => {
  const { local } = compute;
  const removed = local.list().then((containers) => Promise.all(containers.map(({ name }) => local.remove(name))));
  await Promise.all([removed, telemetry.flush()]);
});
