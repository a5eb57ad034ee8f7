/**
 * Why a container did not start, where Docker gives nothing but text: all of these come as HTTP 500, 400 or 403 depending on its
 * version. Texts recorded from Docker 20.10.24 and 28.2, and from moby's source (`daemon/devices_linux.go`, `libnetwork/errors.go`).
 */
export type StartObstacle = 'no-gpu-driver' | 'address-taken' | 'address-not-allowed' | 'port-taken';

const OBSTACLES: readonly (readonly [StartObstacle, RegExp])[] = [
  ['no-gpu-driver', /could not select device driver|failed to discover GPU vendor/i],
  ['port-taken', /port is already allocated|bind: address already in use|ports are not available/i],
  ['address-not-allowed', /user specified IP address is supported only/i],
  ['address-taken', /address already in use|no available IPv4 addresses|invalid address .* (?:it )?does not belong/i],
];

/** `null` for a failure that a change of the container does not cure. */
export function readStartObstacle(answer: string): StartObstacle | null {
  return OBSTACLES.find(([, pattern]) => pattern.test(answer))?.[0] ?? null;
}

/**
 * Whether a registry's answer will be the same next time: no such name, tag or platform, or no right to it. Docker has begun to answer with
 * 200 by then, so there is no status. Recorded from Docker 20.10.24; "no matching manifest" from moby `distribution/pull_v2.go`.
 */
export function isFinalRegistryAnswer(answer: string): boolean {
  return /manifest unknown|not found|pull access denied|unauthorized|denied:|no matching manifest|invalid reference format/i.test(answer);
}
