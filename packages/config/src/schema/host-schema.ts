import { z } from 'zod';
import { duration, group, memory, textLike } from './fields.ts';
import { imageReference } from './image-reference.ts';

const simulatedGpu = z.strictObject({
  name: z.string().min(1).meta({ description: 'Product name that the simulated nvidia-smi reports' }),
  memory: memory('Memory of the whole card', { least: 2 ** 20 }),
  count: z.int().min(1).max(64).default(1).meta({ description: 'How many such cards there are' }),
});

const mountSource = z
  .string()
  .regex(/^\S(.*\S)?$/, { error: 'is empty. Write a path, or the name of a Docker volume' })
  .meta({ description: 'A path (absolute, relative to this file, or from ~) or the name of a Docker volume' });

/** `host`: the machine with the GPUs. */
export const hostSchema = group('The GPU host', {
  id: textLike(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'A host id has lower-case letters, digits and -, at most 63, and begins with a letter or digit',
    'Name of this GPU host in Redis keys, queues and labels',
  ).default('local'),
  runtime: z
    .enum(['docker', 'process'])
    .default('docker')
    .meta({ description: 'docker: engines are containers. process: engines are child processes, for hosts without Docker' }),
  reserve: memory('Memory of each GPU that is left alone', { least: 0 }).prefault('256MiB'),
  budgetFraction: z.number().gt(0).max(1).default(1).meta({ description: "Share of each GPU's memory that Berth may use" }),
  docker: group('The Docker engine', {
    network: textLike(
      /^[A-Za-z0-9][A-Za-z0-9_.-]*$/,
      'A network is named with letters, digits, _, . and -',
      "Name of the engines' network (default: derived from BERTH_INSTALLATION)",
    ).optional(),
    gpuDriver: z
      .enum(['auto', 'nvidia', 'cdi'])
      .default('auto')
      .meta({ description: 'How containers get their GPUs; auto tries what the engine offers' }),
  }).prefault({}),
  probeImage: imageReference('Image in which nvidia-smi runs').default('nvidia/cuda:13.0.1-base-ubuntu24.04'),
  huggingfaceCache: mountSource.default('~/.cache/huggingface'),
  vllmCache: mountSource.optional(),
  simulatedGpus: z
    .array(simulatedGpu)
    .min(1)
    .optional()
    .meta({ description: 'GPUs to simulate. Only when this is written (or without any catalog) are GPUs simulated' }),
});

/** The groups of durations and limits that stand beside `host` and `models`. */
export const protocolShape = {
  coldStart: group('Requests that wait for a model to start', {
    wait: duration('Longest wait of a call that does not stream').prefault('4m30s'),
    streamWait: duration("Longest wait of a stream (default: the model's loadTimeout)").optional(),
    heartbeatAfter: duration('Silence before the first comment in a waiting stream').prefault('10s'),
    heartbeatEvery: duration('Time between comments in a waiting stream').prefault('10s'),
    letIn: z.int().min(1).default(32).meta({
      description:
        'How many of those who waited for a model each edge lets in at first when it is ready; one more for every one that the engine begins to answer',
    }),
    maxWaiters: z.int().min(1).default(1000).meta({ description: 'Requests that may wait for one model, over all edges' }),
  }).prefault({}),
  bodies: group('Request bodies', {
    waiting: memory('All bodies that one edge holds while their models start, or are not known yet').prefault('256MiB'),
    limit: memory('Largest body that is accepted').prefault('64MiB'),
    retryLimit: memory('Largest body that is kept to be sent again', { least: 0 }).prefault('1MiB'),
  }).prefault({}),
  requests: group('Requests to engines', {
    timeout: duration("Longest time from the end of a request to the begin of an engine's answer (default: no limit)").optional(),
    connectTimeout: duration('Longest time to connect to an engine').prefault('1s'),
    bodyIdleTimeout: duration("Longest time without a byte of a request's body").prefault('60s'),
  }).prefault({}),
  streams: group('Answers that are under way', {
    idleTimeout: duration(
      'Longest silence inside an answer (of a stream, only data counts), and longest time that a client may take nothing of it',
    ).prefault('10m'),
  }).prefault({}),
  drain: group('Draining a busy endpoint', {
    timeout: duration('Longest drain before it is called off').prefault('60s'),
  }).prefault({}),
  residency: group('Time that an endpoint is left alone after it became ready', {
    minimum: duration('At least this long (or half of its load time, if longer)', { least: 0 }).prefault('30s'),
    idle: duration('Ended early by this long with nothing in flight and nobody waiting', { least: 0 }).prefault('5s'),
  }).prefault({}),
  stop: group('Stopping an engine', {
    grace: duration('Time between SIGTERM and SIGKILL').prefault('10s'),
  }).prefault({}),
  redis: group('Redis', {
    degraded: duration('How long ready models go on answering without Redis beyond their leases', { least: 0 }).prefault('60s'),
  }).prefault({}),
  leases: group('Leases of edges on endpoints', {
    ttl: duration('Life of a lease that is not renewed').prefault('15s'),
    renew: duration('Time between renewals').prefault('2s'),
    quiet: duration('Waited on top of ttl before leases that Redis may have forgotten count as ended', { least: 0 }).prefault('500ms'),
  }).prefault({}),
  leader: group('The lock of the one active orchestrator', {
    ttl: duration('Life of a lock that is not renewed').prefault('10s'),
    renew: duration('Time between renewals').prefault('2s'),
    abortAfter: duration('Time without a confirmed renewal after which it stops acting').prefault('6s'),
  }).prefault({}),
  engineIdle: group('Proof that an engine runs nothing', {
    samples: z.int().min(1).max(100).default(3).meta({ description: 'Readings of zero in a row' }),
    every: duration('Time between readings').prefault('500ms'),
    unreadable: duration('An engine whose counter cannot be read for this long counts as idle').prefault('30s'),
  }).prefault({}),
  memoryRelease: group('Memory of a stopped engine', {
    timeout: duration('Longest wait for it to be free before it counts as foreign').prefault('60s'),
  }).prefault({}),
  quarantine: group('Back-off of a model after failed starts', {
    base: duration('After the first failure; doubles with each').prefault('30s'),
    max: duration('At most').prefault('15m'),
  }).prefault({}),
  addresses: group('Addresses and ports given to engines', {
    reuseAfter: duration('Not used again for this long', { least: 0 }).prefault('10m'),
  }).prefault({}),
};
