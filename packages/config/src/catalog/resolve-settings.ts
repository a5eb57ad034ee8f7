import type { CatalogShape, HostInput } from '../schema/catalog-schema.ts';
import type { HostSettings, ProtocolSettings } from '../settings.ts';
import { mebibytesDown, mebibytesUp } from '../values/parse-memory.ts';
import { resolveMountSource } from './resolve-path.ts';
import type { PathBase } from './resolve-path.ts';

/** `host` in our units. The reserve is rounded up and cards are rounded down to whole MiB. */
export function resolveHost(host: HostInput, base: PathBase): HostSettings {
  return {
    id: host.id,
    runtime: host.runtime,
    reserveMiB: mebibytesUp(host.reserve),
    budgetFraction: host.budgetFraction,
    docker: { network: host.docker.network ?? null, gpuDriver: host.docker.gpuDriver },
    probeImage: host.probeImage,
    huggingfaceCache: resolveMountSource(host.huggingfaceCache, base),
    vllmCache: host.vllmCache === undefined ? null : resolveMountSource(host.vllmCache, base),
    simulatedGpus: (host.simulatedGpus ?? []).flatMap(({ name, memory, count }) =>
      Array.from({ length: count }, () => ({ name, totalMiB: mebibytesDown(memory) })),
    ),
  };
}

/** The groups beside `host` and `models`, with units in their names. */
export function resolveProtocol(shape: Omit<CatalogShape, 'host' | 'defaults' | 'models'>): ProtocolSettings {
  return {
    coldStart: {
      waitMs: shape.coldStart.wait,
      streamWaitMs: shape.coldStart.streamWait ?? null,
      heartbeatAfterMs: shape.coldStart.heartbeatAfter,
      heartbeatEveryMs: shape.coldStart.heartbeatEvery,
      letIn: shape.coldStart.letIn,
      maxWaiters: shape.coldStart.maxWaiters,
    },
    bodies: { waitingBytes: shape.bodies.waiting, limitBytes: shape.bodies.limit, retryLimitBytes: shape.bodies.retryLimit },
    requests: {
      timeoutMs: shape.requests.timeout ?? null,
      connectTimeoutMs: shape.requests.connectTimeout,
      bodyIdleTimeoutMs: shape.requests.bodyIdleTimeout,
    },
    streams: { idleTimeoutMs: shape.streams.idleTimeout },
    drain: { timeoutMs: shape.drain.timeout },
    residency: { minimumMs: shape.residency.minimum, idleMs: shape.residency.idle },
    stop: { graceMs: shape.stop.grace },
    redis: { degradedMs: shape.redis.degraded },
    leases: { ttlMs: shape.leases.ttl, renewMs: shape.leases.renew, quietMs: shape.leases.quiet },
    leader: { ttlMs: shape.leader.ttl, renewMs: shape.leader.renew, abortAfterMs: shape.leader.abortAfter },
    engineIdle: { samples: shape.engineIdle.samples, everyMs: shape.engineIdle.every, unreadableMs: shape.engineIdle.unreadable },
    memoryRelease: { timeoutMs: shape.memoryRelease.timeout },
    quarantine: { baseMs: shape.quarantine.base, maxMs: shape.quarantine.max },
    addresses: { reuseAfterMs: shape.addresses.reuseAfter },
  };
}
