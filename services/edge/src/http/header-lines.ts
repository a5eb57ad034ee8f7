/** Headers in lines, each with its end, of a flat list: name, value. */
export function linesOf(flat: readonly string[]): string {
  let lines = '';
  for (let index = 0; index + 1 < flat.length; index += 2) lines += `${flat[index]}: ${flat[index + 1]}\r\n`;
  return lines;
}

/** Headers as a flat list: name, value. */
export function flatOf(lines: string): string[] {
  return lines.split('\r\n').flatMap((line) => {
    const colon = line.indexOf(':');
    return colon === -1 ? [] : [line.slice(0, colon), withoutSpace(line.slice(colon + 1))];
  });
}

/** Whether a header of this name, in any case, is among the lines. */
export function hasHeader(lines: string, name: string): boolean {
  return lineOf(name).test(lines);
}

/** The lines without those of this name. */
export function withoutHeader(lines: string, name: string): string {
  return lines.replaceAll(lineOf(name), '');
}

const patterns = new Map<string, RegExp>();

/** Names are ours and few. */
function lineOf(name: string): RegExp {
  let pattern = patterns.get(name);
  if (pattern === undefined) patterns.set(name, (pattern = new RegExp(`^${name}:[^\\r\\n]*\\r\\n`, 'gim')));
  pattern.lastIndex = 0;
  return pattern;
}

/** Without the spaces and tabs around it, and those alone (RFC 9110 §5.5). */
function withoutSpace(value: string): string {
  let [first, end] = [0, value.length];
  while (first < end && isSpace(value[first])) first += 1;
  while (end > first && isSpace(value[end - 1])) end -= 1;
  return value.slice(first, end);
}

function isSpace(letter: string | undefined): boolean {
  return letter === ' ' || letter === '\t';
}
