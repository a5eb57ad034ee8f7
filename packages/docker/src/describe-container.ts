import type { EngineMount, EngineSpec } from '@berth/core';
import type Docker from 'dockerode';
import type { GpuDriverKind } from './gpu-driver.ts';
import { deviceRequests } from './gpu-driver.ts';
import { engineLabels, LABELS } from './labels.ts';

/** How an engine is reached from where Berth runs. */
export interface EngineReach {
  readonly network: string;
  /** Fixed address on it; `null` where the network takes none. */
  readonly address: string | null;
  /** Port of 127.0.0.1 that leads to it; `null`: none is published. */
  readonly loopbackPort: number | null;
}

/**
 * What Docker is asked to create for an engine. No privilege, nothing of the host but GPUs and mounts, an init process (as PID 1 an engine
 * would ignore SIGTERM while it imports), no restart by Docker, a log that cannot fill the disk, and a stop default longer than Berth's own.
 */
export function describeContainer(spec: EngineSpec, reach: EngineReach, driver: GpuDriverKind): Docker.ContainerCreateOptions {
  const fill = (part: string): string => part.replaceAll('{port}', String(spec.port));
  const requests = deviceRequests(driver, spec.gpuUuids, ['compute', 'utility']);
  return {
    name: spec.containerName,
    Image: spec.image,
    ...(spec.command === null ? {} : { Entrypoint: spec.command.map(fill) }),
    Cmd: spec.args.map(fill),
    Env: environment(spec, requests.length > 0 && driver === 'nvidia'),
    Labels: { ...engineLabels(spec), ...(reach.address === null ? {} : { [LABELS.address]: reach.address }) },
    StopSignal: 'SIGTERM',
    StopTimeout: Math.ceil(spec.stopGraceMs / 1000) + 5,
    ...(reach.loopbackPort === null ? {} : { ExposedPorts: { [`${spec.port}/tcp`]: {} } }),
    HostConfig: {
      Init: true,
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      SecurityOpt: ['no-new-privileges'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '20m', 'max-file': '2' } },
      NetworkMode: reach.network,
      // Only `Binds` makes a missing folder on engines before API 1.42, and only `Mounts` refuses one.
      Binds: spec.mounts
        .filter((mount) => mount.createSource === true)
        .map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
      Mounts: spec.mounts.filter((mount) => mount.createSource !== true).map(describeMount),
      DeviceRequests: requests,
      ...(spec.shmSizeBytes === null ? {} : { ShmSize: spec.shmSizeBytes }),
      ...(reach.loopbackPort === null
        ? {}
        : { PortBindings: { [`${spec.port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: String(reach.loopbackPort) }] } }),
    },
    NetworkingConfig: {
      EndpointsConfig: { [reach.network]: reach.address === null ? {} : { IPAMConfig: { IPv4Address: reach.address } } },
    },
  };
}

/**
 * CUDA images say NVIDIA_VISIBLE_DEVICES=all, and where the NVIDIA runtime is Docker's default that alone gives every GPU to an engine
 * that was to have none, or only those of its CDI request. With Docker's `nvidia` driver the request itself sets the variable.
 */
function environment(spec: EngineSpec, setByRequest: boolean): string[] {
  const env = setByRequest ? spec.env : { ...spec.env, NVIDIA_VISIBLE_DEVICES: 'void' };
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

function describeMount(mount: EngineMount): Docker.MountSettings {
  return {
    Type: mount.source.startsWith('/') ? 'bind' : 'volume',
    Source: mount.source,
    Target: mount.target,
    ReadOnly: mount.readOnly,
  };
}
