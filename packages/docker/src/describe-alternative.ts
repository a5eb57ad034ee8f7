import type Docker from 'dockerode';
import type { StartObstacle } from './docker-texts.ts';
import type { GpuDriver, GpuDriverKind } from './gpu-driver.ts';
import { deviceRequests, readDeviceRequests } from './gpu-driver.ts';
import { LABELS } from './labels.ts';
import { nameOf } from './read-container.ts';

/** What else a start may try when Docker says that something is taken. */
export interface Alternatives {
  readonly network: string;
  readonly gpuDriver: GpuDriver;
  /** Another address, given those that were refused; `null`: start without a fixed one. */
  readonly nextAddress: (refused: ReadonlySet<string>) => Promise<string | null>;
  readonly nextPort: (refused: ReadonlySet<number>) => Promise<number>;
}

/** What one start has tried in vain. */
export interface Refused {
  readonly addresses: Set<string>;
  readonly ports: Set<number>;
  readonly drivers: Set<GpuDriverKind>;
}

export function nothingRefused(): Refused {
  return { addresses: new Set(), ports: new Set(), drivers: new Set() };
}

type Container = Docker.ContainerInspectInfo;

/** A created container's own description with the one thing changed that stood in the way; `null` when there is nothing else to try. */
export async function describeAlternative(
  alternatives: Alternatives,
  container: Container,
  obstacle: StartObstacle,
  refused: Refused,
): Promise<Docker.ContainerCreateOptions | null> {
  const same = describeSame(container, alternatives.network);
  const address = container.Config.Labels[LABELS.address];
  switch (obstacle) {
    case 'address-not-allowed':
      return address === undefined ? null : withAddress(same, alternatives.network, null);
    case 'address-taken':
      if (address === undefined) return null;
      refused.addresses.add(address);
      return withAddress(same, alternatives.network, await alternatives.nextAddress(refused.addresses));
    case 'port-taken': {
      const [inside, port] = readBinding(container);
      if (port === null) return null;
      refused.ports.add(port);
      return withBinding(same, inside, await alternatives.nextPort(refused.ports));
    }
    case 'no-gpu-driver': {
      const requested = readDeviceRequests(container.HostConfig.DeviceRequests);
      if (requested === null) return null;
      refused.drivers.add(requested.kind);
      const other = alternatives.gpuDriver.other(requested.kind);
      if (other === null || refused.drivers.has(other)) return null;
      return withDriver(same, other, deviceRequests(other, requested.gpuUuids, ['compute', 'utility']));
    }
    default:
      return null;
  }
}

function describeSame(container: Container, network: string): Docker.ContainerCreateOptions {
  const { Hostname: _idOfTheOld, ...config } = container.Config;
  const options = { ...config, name: nameOf(container), HostConfig: container.HostConfig };
  return withAddress(options, network, container.Config.Labels[LABELS.address] ?? null);
}

function withAddress(options: Docker.ContainerCreateOptions, network: string, address: string | null): Docker.ContainerCreateOptions {
  const { [LABELS.address]: _before, ...labels } = options.Labels ?? {};
  return {
    ...options,
    Labels: address === null ? labels : { ...labels, [LABELS.address]: address },
    NetworkingConfig: { EndpointsConfig: { [network]: address === null ? {} : { IPAMConfig: { IPv4Address: address } } } },
  };
}

function readBinding(container: Container): [inside: string, port: number | null] {
  const bindings = (container.HostConfig.PortBindings ?? {}) as Record<string, readonly { readonly HostPort?: string }[]>;
  const [inside = '', targets = []] = Object.entries(bindings)[0] ?? [];
  const port = targets[0]?.HostPort;
  return [inside, port ? Number(port) : null];
}

function withBinding(options: Docker.ContainerCreateOptions, inside: string, port: number): Docker.ContainerCreateOptions {
  return {
    ...options,
    HostConfig: { ...options.HostConfig, PortBindings: { [inside]: [{ HostIp: '127.0.0.1', HostPort: String(port) }] } },
  };
}

function withDriver(
  options: Docker.ContainerCreateOptions,
  kind: GpuDriverKind,
  requests: Docker.DeviceRequest[],
): Docker.ContainerCreateOptions {
  const env = (options.Env ?? []).filter((entry) => !entry.startsWith('NVIDIA_VISIBLE_DEVICES='));
  return {
    ...options,
    Env: kind === 'cdi' ? [...env, 'NVIDIA_VISIBLE_DEVICES=void'] : env,
    HostConfig: { ...options.HostConfig, DeviceRequests: requests },
  };
}
