import type { CauseReader, FailureKind } from './failure.ts';

/** A cause that only a person can remove, told by a pattern: what happened and what to do. */
function fixed(kind: FailureKind, pattern: RegExp, message: string): CauseReader {
  return (text) => (pattern.test(text) ? { kind, message, remedy: null } : null);
}

const readPortTaken: CauseReader = (text) =>
  /\[Errno 98\]|Address already in use/iu.test(text)
    ? {
        kind: 'port-taken',
        message: 'The port that the engine was to listen on is taken by another program. It is tried again on another port.',
        remedy: { kind: 'another-port' },
      }
    : null;

/** pydantic names the setting in its second line and the problem in the third (vLLM 0.32.0, measured). */
const readRefusedSettings: CauseReader = (text) => {
  if (!/ValidationError: \d+ validation error/u.test(text)) return null;
  const [, ...details] = text.split('\n').map((line) => line.trim());
  const said = details
    .filter((line) => line !== '' && !line.startsWith('For further information'))
    .join(': ')
    .replaceAll(/\s*\[type=.*?\](?=:|$)/gu, '')
    .slice(0, 400);
  return {
    kind: 'bad-arguments',
    message: `The engine refused its settings: ${said === '' ? text.slice(0, 400) : said}. Correct \`args\` in the catalog.`,
    remedy: null,
  };
};

/** Causes in weights, settings and surroundings, the more telling ones first (vLLM 0.28 to 0.32, huggingface_hub 0.3x and 1.x). */
export const LAUNCH_CAUSES: readonly CauseReader[] = [
  readPortTaken,
  readRefusedSettings,
  fixed(
    'weights-forbidden',
    /GatedRepoError|gated repo|401 Client Error|403 Client Error/u,
    'The hub does not hand out this model without permission. Accept its terms on huggingface.co and set HF_TOKEN to a token of that account.',
  ),
  fixed(
    'weights-not-found',
    /LocalEntryNotFoundError|Cannot find an appropriate cached snapshot folder/u,
    'The weights are not in the Hugging Face cache, and the engine may not or cannot download them. Check `source`, the mounted cache, HF_HUB_OFFLINE and the network.',
  ),
  fixed(
    'weights-not-found',
    /RepositoryNotFoundError|RevisionNotFoundError|EntryNotFoundError|404 Client Error|is not a local folder and is not a valid model identifier|Invalid repository ID or local directory/u,
    'There is no such model on the hub, nor a folder of that name. Check `source`; a private model also needs HF_TOKEN.',
  ),
  fixed(
    'weights-unreachable',
    /We couldn't connect to|Max retries exceeded|Temporary failure in name resolution|NameResolutionError|Network is unreachable/u,
    'The hub could not be reached to download the weights. Check the network and proxy of the engine, or put the weights into the cache.',
  ),
  fixed(
    'disk-full',
    /No space left on device/u,
    'A disk is full: the cache for weights, or /dev/shm. Make room there, or raise `shmSize`.',
  ),
  fixed(
    'no-gpu',
    /No CUDA GPUs are available|Failed to infer device type|Found no NVIDIA driver|CUDA driver version is insufficient|no kernel image is available/u,
    'The engine cannot use the GPU: it sees none, or was built for another one. Run `berth doctor`, and use an image for this GPU and driver.',
  ),
  fixed(
    'unsupported-model',
    /Model architectures? .* (?:are|is) not supported|failed to be inspected|does not recognize this architecture/u,
    'This version of the engine does not know the architecture of this model. Use a newer `image`.',
  ),
  fixed(
    'bad-arguments',
    /trust_remote_code=True/u,
    'This model brings its own code, which the engine runs only when told so. If you trust it, add --trust-remote-code to `args`.',
  ),
];
