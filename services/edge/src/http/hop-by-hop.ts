/** Headers meant for one connection only (RFC 9110 §7.6.1), plus what older clients send; in lower case. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Names, in lower case, that a `Connection` header declares hop-by-hop too; `null` for the usual ones that declare none. */
export function connectionOptions(value: string | null | undefined): ReadonlySet<string> | null {
  if (value === undefined || value === null || value === 'keep-alive' || value === 'close') return null;
  return new Set(value.split(',').map((option) => option.trim().toLowerCase()));
}
