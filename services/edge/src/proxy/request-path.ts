/**
 * The path of a request target, without its query, or `null` when two readers could take it for different paths: an absolute target, empty,
 * `.` or `..` segments, backslashes, control bytes. Encoded slashes, dots and backslashes count only in front of `encodedFrom`, since ids
 * of models contain slashes.
 */
export function canonicalPath(target: string, encodedFrom = '/v1/models/'): string | null {
  const queryAt = target.search(/[?#]/u);
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  if (!path.startsWith('/') || /[\\\p{Cc}]/u.test(path)) return null;
  if (/\/(?:\/|\.{1,2}(?:\/|$))/u.test(path)) return null;
  const checked = path.startsWith(encodedFrom) ? encodedFrom : path;
  return /%(?:2f|5c|2e|00)/iu.test(checked) ? null : path;
}

/** The query with its `?`, or nothing. */
export function queryOf(target: string): string {
  const queryAt = target.indexOf('?');
  return queryAt === -1 ? '' : target.slice(queryAt);
}
