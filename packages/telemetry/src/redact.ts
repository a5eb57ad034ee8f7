export const REDACTED = '[redacted]';

/** Fields whose value is never written, wherever in a line they stand, down to the depth that pino's wildcards reach. */
const SECRET_FIELDS = [
  'authorization',
  'Authorization',
  '["x-api-key"]',
  '["X-Api-Key"]',
  '["proxy-authorization"]',
  'cookie',
  '["set-cookie"]',
  'apiKey',
  'api_key',
  'password',
  'secret',
  'token',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'VLLM_API_KEY',
  'headers',
  'env',
  'Env',
];
const DEPTHS = ['', '*', '*.*', '*.*.*'];

/** Paths for pino's `redact`. */
export const secretPaths: readonly string[] = DEPTHS.flatMap((depth) => SECRET_FIELDS.map((field) => join(depth, field)));

/** Keys of the Hugging Face hub, of OpenAI-compatible services, and credentials of a header or a URL, as they may stand inside a text. */
const SECRET_TEXTS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\bhf_[A-Za-z0-9]{16,}/gu, REDACTED],
  [/\bsk-[A-Za-z0-9_-]{16,}/gu, REDACTED],
  [/\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}/giu, `$1 ${REDACTED}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/"]*):[^\s@/"]+@/giu, `$1:${REDACTED}@`],
];

/**
 * Builds the last sieve of a log line: takes out the given secrets and whatever looks like a key, for texts that others wrote
 * (an engine's message, a library's error). Secrets of less than 6 characters are left alone, since they would match everywhere.
 */
export function createSieve(secrets: readonly string[]): (line: string) => string {
  const known = secrets.filter((secret) => secret.length >= 6).map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) => {
    let clean = line;
    for (const secret of known) clean = clean.replaceAll(secret, REDACTED);
    for (const [pattern, replacement] of SECRET_TEXTS) clean = clean.replaceAll(pattern, replacement);
    return clean;
  };
}

function join(depth: string, field: string): string {
  if (depth === '') return field;
  return field.startsWith('[') ? `${depth}${field}` : `${depth}.${field}`;
}
