/** The headers in which a client shows a key, as Node or a `Headers` object gives them: one character per byte. */
export interface KeyHeaders {
  readonly authorization?: string | undefined;
  readonly 'x-api-key'?: string | string[] | undefined;
}

const BEARER = 'bearer ';
const BASIC = 'basic ';

/**
 * The key of `Authorization: Bearer KEY` (OpenAI's SDKs), else of `x-api-key: KEY` (Anthropic's); `null` when neither is there. A key in the query
 * is none: queries end up in logs, and go on to the engine.
 */
export function presentedKey(headers: KeyHeaders): string | null {
  const bearer = credentialsOf(headers.authorization, BEARER);
  if (bearer !== null) return bearer;
  const key = headers['x-api-key'];
  return typeof key === 'string' && key !== '' ? key : null;
}

/** The password of `Authorization: Basic`, whoever the user is: what a browser can send. */
export function presentedPassword(headers: KeyHeaders): string | null {
  const encoded = credentialsOf(headers.authorization, BASIC);
  if (encoded === null) return null;
  const decoded = Buffer.from(encoded, 'base64').toString('latin1');
  const colonAt = decoded.indexOf(':');
  return colonAt === -1 || colonAt === decoded.length - 1 ? null : decoded.slice(colonAt + 1);
}

/** What follows a scheme, which is named in any case (RFC 9110 §11.1). */
function credentialsOf(authorization: string | undefined, scheme: string): string | null {
  if (authorization === undefined || authorization.slice(0, scheme.length).toLowerCase() !== scheme) return null;
  // Spaces alone: what else counts as one to `trim` may be the last byte of a letter of the key.
  let begin = scheme.length;
  while (authorization[begin] === ' ') begin += 1;
  return begin === authorization.length ? null : authorization.slice(begin);
}
