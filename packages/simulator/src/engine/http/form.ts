import { readBody } from './exchange.ts';
import type { Exchange } from './exchange.ts';

/** Texts of a multipart form by name, and the bytes of its files. Whatever the order of its parts. */
export interface Form {
  readonly fields: ReadonlyMap<string, string>;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Reads a whole `multipart/form-data` body (RFC 7578). What is none has neither fields nor files. */
export async function readForm(exchange: Exchange): Promise<Form> {
  const body = await readBody(exchange);
  const fields = new Map<string, string>();
  const files = new Map<string, Buffer>();
  const match = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(exchange.request.headers['content-type'] ?? '');
  const delimiter = Buffer.from(`--${match?.[1] ?? match?.[2] ?? ''}`, 'latin1');
  if (match === null) return { fields, files };
  for (let at = body.indexOf(delimiter); at >= 0;) {
    const next = body.indexOf(delimiter, at + delimiter.length);
    const headEnd = body.indexOf('\r\n\r\n', at);
    if (next < 0 || headEnd < 0 || headEnd > next) break;
    const head = body.toString('utf8', at, headEnd);
    const content = body.subarray(headEnd + 4, next - 2);
    const name = /[\s;]name="([^"]*)"/.exec(head)?.[1] ?? '';
    if (/;\s*filename\*?=/.test(head)) files.set(name, content);
    else fields.set(name, content.toString('utf8'));
    at = next;
  }
  return { fields, files };
}
