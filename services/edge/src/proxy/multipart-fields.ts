/** Longest text field that is read; files are skipped whatever their size. */
const LONGEST_FIELD = 4096;

/**
 * The short text fields of a `multipart/form-data` body (RFC 7578) by name, the last one of a name winning; `null` when the content type
 * names no boundary or the body does not begin with it. Parts with a file name are skipped.
 */
export function multipartFields(body: Buffer, contentType: string): ReadonlyMap<string, string> | null {
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/iu.exec(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (name === undefined) return null;
  const delimiter = Buffer.from(`--${name}`, 'latin1');
  let at = body.indexOf(delimiter);
  if (at === -1) return null;
  const fields = new Map<string, string>();
  for (;;) {
    const headAt = at + delimiter.length + 2;
    const bodyAt = body.indexOf('\r\n\r\n', headAt - 2);
    if (bodyAt === -1) return fields;
    const next = body.indexOf(delimiter, bodyAt);
    if (next === -1) return fields;
    const field = fieldName(body.toString('utf8', headAt, bodyAt));
    const length = next - 2 - (bodyAt + 4);
    if (field !== null && length >= 0 && length <= LONGEST_FIELD) fields.set(field, body.toString('utf8', bodyAt + 4, next - 2));
    at = next;
  }
}

function fieldName(head: string): string | null {
  const disposition = /^content-disposition:\s*form-data(.*)$/imu.exec(head)?.[1];
  if (disposition === undefined || /;\s*filename\*?=/iu.test(disposition)) return null;
  const name = /;\s*name=(?:"([^"]*)"|([^\s;]+))/iu.exec(disposition);
  return name?.[1] ?? name?.[2] ?? null;
}
