import type { EngineStatus, RunningEngine } from '@berth/core';
import { asId, parseEngineIdentity } from '@berth/core';
import type Docker from 'dockerode';
import { LABELS } from './labels.ts';

/** Reads an inspected container as an engine's status. URLs hold from creation on where its address is fixed. */
export function readStatus(container: Docker.ContainerInspectInfo, network: string): EngineStatus {
  const state = readState(container.State.Status);
  const startedAtMs = Date.parse(container.State.StartedAt);
  return {
    state,
    exitCode: state === 'exited' ? container.State.ExitCode : null,
    startedAtMs: state === 'created' || !(startedAtMs > 0) ? null : startedAtMs, // Docker says year 1 for never
    urls: readUrls(container, network),
  };
}

/** Reads an inspected container as an engine of a list. */
export function readEngine(container: Docker.ContainerInspectInfo, network: string): RunningEngine {
  const name = nameOf(container);
  return {
    handle: asId(name),
    containerName: name,
    identity: parseEngineIdentity(container.Config.Labels[LABELS.identity] ?? ''),
    status: readStatus(container, network),
  };
}

/** Docker puts a slash before names. */
export function nameOf(container: Pick<Docker.ContainerInspectInfo, 'Name'>): string {
  return container.Name.replace(/^\//, '');
}

function readState(status: string): EngineStatus['state'] {
  switch (status) {
    case 'created':
      return 'created';
    case 'running':
    case 'paused':
    case 'restarting':
      return 'running';
    default:
      return 'exited'; // exited, dead, removing
  }
}

function readUrls(container: Docker.ContainerInspectInfo, network: string): EngineStatus['urls'] {
  const port = container.Config.Labels[LABELS.port] ?? '';
  const attached = container.NetworkSettings.Networks[network];
  const address = attached?.IPAddress || container.Config.Labels[LABELS.address];
  const bindings = (container.HostConfig.PortBindings ?? {}) as Record<string, readonly { readonly HostPort?: string }[] | null>;
  const loopbackPort = bindings[`${port}/tcp`]?.[0]?.HostPort;
  return {
    name: attached === undefined ? null : `http://${nameOf(container)}:${port}`,
    address: address ? `http://${address}:${port}` : null,
    loopback: loopbackPort ? `http://127.0.0.1:${loopbackPort}` : null,
  };
}
