/** A version of vLLM: major, minor, patch. */
export type VllmVersion = readonly [number, number, number];

/** What Berth adds to a command line, as far as versions differ. */
export interface LaunchAbilities {
  /** `--kv-cache-memory-bytes`: without it the KV cache cannot be pinned, and the engine takes its share of the whole card. */
  readonly pinsKvCache: boolean;
  /** `--max-model-len auto`. */
  readonly fitsContext: boolean;
}

/** First versions with a flag: `--max-model-len auto` came with pull request 29431 of vllm-project/vllm. */
const PINS_KV_CACHE_SINCE: VllmVersion = [0, 11, 0];
const FITS_CONTEXT_SINCE: VllmVersion = [0, 14, 0];

/** What a version can do; an unknown one (`null`) counts as the newest. */
export function abilitiesOf(version: VllmVersion | null): LaunchAbilities {
  return { pinsKvCache: isSince(version, PINS_KV_CACHE_SINCE), fitsContext: isSince(version, FITS_CONTEXT_SINCE) };
}

/**
 * The version that an image reference tells by its tag, e.g. `vllm/vllm-openai:v0.30.0-cu130`. `null` when it tells none: another
 * repository than one named for vLLM (whose tags count something else), `latest`, `nightly`, a digest, or no tag.
 */
export function versionOfImage(image: string): VllmVersion | null {
  const name = image.split('@')[0]?.split('/').at(-1) ?? '';
  const match = /^vllm[^:]*:v?(\d+)\.(\d+)(?:\.(\d+))?(?:$|[^\d.])/u.exec(name);
  if (match === null) return null;
  return [Number(match[1]), Number(match[2]), Number(match[3] ?? '0')];
}

function isSince(version: VllmVersion | null, first: VllmVersion): boolean {
  if (version === null) return true;
  const different = first.findIndex((part, index) => part !== version[index]);
  return different === -1 || (version[different] ?? 0) > (first[different] ?? 0);
}
