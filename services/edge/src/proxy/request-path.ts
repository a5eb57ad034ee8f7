/** Printable ASCII without `#` and the backslash. */
const NOT_IN_PATHS = /[^!"$-[\]-~]/u;

/** Behind these, ids of models follow, which contain slashes. */
const BEFORE_IDS: readonly string[] = ['/v1/models/', '/admin/v1/models/'];

/**
 * The path of a request target, without its query, or `null` when two readers could take it for different paths: an absolute target, empty,
 * `.` or `..` segments, backslashes, a fragment, bytes that are not printable ASCII, and encoded slashes, dots, backslashes or zero bytes but
 * for those inside a model's id.
 */
export function canonicalPath(target: string): string | null {
  const path = withoutQuery(target);
  if (!path.startsWith('/') || NOT_IN_PATHS.test(path) || target.includes('#', path.length)) return null;
  if (/\/(?:\/|\.{1,2}(?:\/|$))/u.test(path)) return null;
  if (!path.includes('%')) return path;
  const prefix = BEFORE_IDS.find((before) => path.startsWith(before));
  return prefix === undefined && /%(?:2f|5c|2e|00)/iu.test(path) ? null : path;
}

export function withoutQuery(target: string): string {
  const queryAt = target.indexOf('?');
  return queryAt === -1 ? target : target.slice(0, queryAt);
}

/** The query with its `?`, or nothing. */
export function queryOf(target: string): string {
  return target.slice(withoutQuery(target).length);
}
