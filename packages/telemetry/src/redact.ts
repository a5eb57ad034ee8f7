export const REDACTED = '[redacted]';

/** Fields whose value is never written, wherever in a line they stand; lower case. */
const SECRET_FIELD_NAMES = [
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'cookie',
  'set-cookie',
  'apikey',
  'api_key',
  'password',
  'secret',
  'token',
  'hf_token',
  'hugging_face_hub_token',
  'vllm_api_key',
  'headers',
  'env',
] as const;
export type SecretField = (typeof SECRET_FIELD_NAMES)[number];
const SECRET_FIELDS: ReadonlySet<string> = new Set(SECRET_FIELD_NAMES);
/** Ends the walk through objects that contain themselves. */
const DEEPEST = 8;

/** Keys of the Hugging Face hub, of OpenAI-compatible services, and credentials of a header or a URL, as they may stand inside a text. */
const SECRET_TEXTS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\bhf_[A-Za-z0-9]{16,}/gu, REDACTED],
  [/\bsk-[A-Za-z0-9_-]{16,}/gu, REDACTED],
  [/\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}/giu, `$1 ${REDACTED}`],
  [/:\/\/([^\s:@/"]*):[^\s@/"]+@/gu, `://$1:${REDACTED}@`],
];
/** Finds whatever one of them could match. One look for all of them takes 0.14 µs on a line of 500 bytes, the four replacements 0.7. */
const MAY_HOLD_SECRET = /hf_|sk-|:\/\/|[bB](?:[eE][aA][rR][eE][rR]|[aA][sS][iI][cC]) /u;

/**
 * The same fields without those that hold secrets, at any depth of plain objects and arrays; what has none is handed back as it
 * is, not copied. A line takes 180 µs with the wildcards of pino's own `redact`, and 5 so (pino 10.4.0, Node 26).
 */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactRecord(fields, 0);
}

/**
 * Builds the last sieve of a log line, or of a text on its way into one: takes out the given secrets and whatever looks like a key,
 * for texts that others wrote (an engine's message, a library's error). It is in JSON already. Secrets of less than 6 characters are
 * left alone, since they would match everywhere.
 */
export function createSieve(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret.length >= 6).map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) => {
    let clean = line;
    for (const secret of known) if (clean.includes(secret)) clean = clean.replaceAll(secret, REDACTED);
    if (!MAY_HOLD_SECRET.test(clean)) return clean;
    for (const [pattern, replacement] of SECRET_TEXTS) clean = clean.replaceAll(pattern, replacement);
    return clean;
  };
}

function redactRecord(record: Record<string, unknown>, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | null = null;
  for (const [field, value] of Object.entries(record)) {
    const clean = SECRET_FIELDS.has(field.toLowerCase()) ? REDACTED : redactValue(value, depth + 1);
    if (clean === value) continue;
    copy ??= { ...record };
    copy[field] = clean;
  }
  return copy ?? record;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return value;
  if (Array.isArray(value)) {
    const clean = value.map((item) => redactValue(item, depth + 1));
    return clean.every((item, at) => item === value[at]) ? value : clean;
  }
  return isPlain(value) ? redactRecord(value, depth) : value;
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
