const PARAMETER = /[ \t]*;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"([^"\\\r\n\0]*)"|([^\s;"\\\0]*))/uy;

/**
 * A header value with parameters (`form-data; name="file"`), names in lower case; `null` where readers differ on what it says: a
 * backslash, a parameter given twice, anything behind the last one.
 */
export function parseParameters(value: string): { readonly main: string; readonly parameters: ReadonlyMap<string, string> } | null {
  const main = /^[ \t]*([^\s;"]+)/u.exec(value);
  if (main === null) return null;
  const parameters = new Map<string, string>();
  let at = main[0].length;
  for (;;) {
    PARAMETER.lastIndex = at;
    const found = PARAMETER.exec(value);
    if (found === null) break;
    const name = (found[1] ?? '').toLowerCase();
    if (parameters.has(name)) return null;
    parameters.set(name, found[2] ?? found[3] ?? '');
    at = PARAMETER.lastIndex;
  }
  return /^[ \t]*;?[ \t]*$/u.test(value.slice(at)) ? { main: (main[1] ?? '').toLowerCase(), parameters } : null;
}
