/**
 * The model that an engine reads from the same bytes, told by other means than the edge's: whole bodies, `JSON.parse`, and the rules of
 * python-multipart 0.0.34 and Starlette 1.10 written down one by one. `null`: the engine refuses the body, or finds no name in it.
 */
export function modelOfJson(body: Buffer): string | null {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    const model: unknown = Object.getOwnPropertyDescriptor(value, 'model')?.value;
    return typeof model === 'string' ? model : null;
  } catch {
    return null;
  }
}

/** Of repeated fields the last one counts; a part that does not end is no field. */
export function modelOfForm(body: Buffer, boundary: string): string | null {
  const text = body.toString('latin1');
  let model: string | null = null;
  let at = beginOf(text, boundary);
  for (;;) {
    if (at === null) return null;
    if (text.startsWith('--', at)) return model;
    if (!text.startsWith('\r\n', at)) return null;
    const headEnd = text.indexOf('\r\n\r\n', at);
    if (headEnd === -1) return model;
    const field = fieldOf(text.slice(at + 2, headEnd));
    if (field === null) return null;
    const end = endOfContent(text, headEnd + 4, boundary);
    if (end === null) return model;
    if (field.name === 'model') model = field.isFile ? null : decoded(text.slice(headEnd + 4, end.at));
    at = end.next;
  }
}

/** Behind the first delimiter. Line breaks in front of it are skipped, and then everything up to the first hyphen. */
function beginOf(text: string, boundary: string): number | null {
  const at = /^[\r\n]/u.test(text) ? text.indexOf('-') : 0;
  return at !== -1 && text.startsWith(`--${boundary}`, at) ? at + boundary.length + 2 : null;
}

/** Where a part's content ends, and where the head of the next part begins: a delimiter that goes on is content. */
function endOfContent(text: string, from: number, boundary: string): { at: number; next: number } | null {
  const delimiter = `\r\n--${boundary}`;
  for (let at = text.indexOf(delimiter, from); at !== -1; at = text.indexOf(delimiter, at + 1)) {
    const behind = at + delimiter.length;
    const padding = /^[ \t]*/u.exec(text.slice(behind))?.[0].length ?? 0;
    if (text.startsWith('--', behind)) return { at, next: behind };
    if (text.startsWith('\r\n', behind + padding)) return { at, next: behind + padding };
  }
  return null;
}

function fieldOf(head: string): { name: string; isFile: boolean } | null {
  let disposition = '';
  for (const line of head.split('\r\n')) {
    const header = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): *(.*)$/su.exec(line);
    if (header === null) return null;
    if (header[1]?.toLowerCase() === 'content-disposition') disposition = header[2] ?? '';
  }
  const parameters = parametersOf(disposition);
  const name = parameters.get('name');
  return name === undefined ? null : { name, isFile: parameters.has('filename') };
}

/** As `parse_options_header` does: split at semicolons outside quotes, extended parameters skipped, the last of a name wins. */
function parametersOf(value: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  let quoted = false;
  let segment = '';
  const segments: string[] = [];
  for (let at = 0; at < value.length; at += 1) {
    const character = value[at] ?? '';
    if (character === '"' && value[at - 1] !== '\\') quoted = !quoted;
    if (character === ';' && !quoted) {
      segments.push(segment);
      segment = '';
    } else {
      segment += character;
    }
  }
  segments.push(segment);
  for (const part of segments.slice(1)) {
    const equals = part.indexOf('=');
    if (equals === -1) continue;
    const key = part.slice(0, equals).trim().toLowerCase();
    const own = part.slice(equals + 1).trim();
    if (key.includes('*')) continue;
    const isQuoted = own.length >= 2 && own.startsWith('"') && own.endsWith('"');
    parameters.set(key, isQuoted ? own.slice(1, -1).replaceAll('\\\\', '\\').replaceAll('\\"', '"') : own);
  }
  return parameters;
}

/** UTF-8, and Latin-1 where that fails. */
function decoded(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return latin1;
  }
}
