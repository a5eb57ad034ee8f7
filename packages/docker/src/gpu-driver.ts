import type { GpuUuid } from '@berth/core';
import { asId } from '@berth/core';
import type Docker from 'dockerode';

/** How Docker hands GPUs to a container: by the NVIDIA container hook, or by the Container Device Interface. */
export type GpuDriverKind = 'nvidia' | 'cdi';
export type GpuDriverSetting = 'auto' | GpuDriverKind;

/** Remembers which way works on this Docker engine. */
export interface GpuDriver {
  /** What to try first. */
  readonly current: GpuDriverKind;
  /** The other way, or `null` when the setting allows no other. */
  other(tried: GpuDriverKind): GpuDriverKind | null;
  /** That one worked. */
  remember(kind: GpuDriverKind): void;
}

/** With `auto`, `nvidia` is tried first: hosts set up before CDI have nothing else, and most newer ones still have both. */
export function createGpuDriver(setting: GpuDriverSetting): GpuDriver {
  let current: GpuDriverKind = setting === 'auto' ? 'nvidia' : setting;
  return {
    get current() {
      return current;
    },
    other: (tried) => (setting === 'auto' ? (tried === 'nvidia' ? 'cdi' : 'nvidia') : null),
    remember(kind) {
      current = kind;
    },
  };
}

/**
 * Docker's device requests for the GPUs; none for the CPU. Source: moby `daemon/nvidia_linux.go` (ids and count exclude each other; the
 * capabilities become NVIDIA_DRIVER_CAPABILITIES) and the CDI specification's qualified names.
 */
export function deviceRequests(
  kind: GpuDriverKind,
  gpuUuids: readonly GpuUuid[] | 'all',
  capabilities: readonly string[],
): Docker.DeviceRequest[] {
  if (gpuUuids !== 'all' && gpuUuids.length === 0) return [];
  if (kind === 'cdi') {
    return [{ Driver: 'cdi', DeviceIDs: (gpuUuids === 'all' ? ['all'] : gpuUuids).map((id) => `nvidia.com/gpu=${id}`) }];
  }
  const devices = gpuUuids === 'all' ? { Count: -1 } : { DeviceIDs: [...gpuUuids] };
  return [{ Driver: 'nvidia', ...devices, Capabilities: [['gpu', ...capabilities]] }];
}

/** What to do about "could not select device driver". */
export const GPU_DRIVER_REMEDY =
  'Install nvidia-container-toolkit, run `nvidia-ctk runtime configure --runtime=docker` and restart Docker; or, for CDI, run ' +
  '`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml` and enable CDI in Docker. `host.docker.gpuDriver` chooses between them.';

/** Reads device requests back: how and which GPUs. `null` for a container without GPUs. */
export function readDeviceRequests(
  requests: readonly Docker.DeviceRequest[] | null | undefined,
): { readonly kind: GpuDriverKind; readonly gpuUuids: readonly GpuUuid[] | 'all' } | null {
  const request = requests?.[0];
  if (request === undefined) return null;
  const kind = request.Driver === 'cdi' ? 'cdi' : 'nvidia';
  const ids = (request.DeviceIDs ?? []).map((id) => id.replace('nvidia.com/gpu=', ''));
  const all = ids.length === 0 || ids.includes('all');
  return { kind, gpuUuids: all ? 'all' : ids.map((id) => asId<GpuUuid>(id)) };
}
