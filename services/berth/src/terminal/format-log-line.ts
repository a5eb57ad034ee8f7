const levelNames: Readonly<Record<number, string>> = { 40: 'warning: ', 50: 'ERROR: ', 60: 'FATAL: ' };
/** Fields that are on every line, or say nothing to a person. */
const hidden = new Set([
  'level',
  'time',
  'pid',
  'hostname',
  'msg',
  'name',
  'v',
  'service',
  'component',
  'requestId',
  'placementId',
  'jobId',
]);

/**
 * A line of a service's log as a person reads it: time, service, what happened, its fields. `null`: not worth a line on the terminal (below info, or
 * a single request). A line that is not JSON is shown as it is, since that is how a crash looks.
 */
export function formatLogLine(service: string, line: string): string | null {
  const record = parseRecord(line);
  if (record === null) return line.trim() === '' ? null : `         ${service}  ${line}`;
  const level = typeof record['level'] === 'number' ? record['level'] : 30;
  if (level < 30 || (level === 30 && 'requestId' in record)) return null;
  const time = typeof record['time'] === 'number' ? new Date(record['time']).toTimeString().slice(0, 8) : '        ';
  const fields = Object.entries(record).flatMap(([key, value]) => (hidden.has(key) ? [] : [`${key}=${formatValue(value)}`]));
  return `${time} ${service}  ${levelNames[level] ?? ''}${formatMessage(record['msg'])}${fields.length === 0 ? '' : `  ${fields.join(' ')}`}`;
}

function parseRecord(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return value.includes(' ') ? JSON.stringify(value) : value;
  if (typeof value !== 'object' || value === null) return String(value);
  if ('message' in value && typeof value.message === 'string') return JSON.stringify(value.message);
  return JSON.stringify(value);
}

function formatMessage(message: unknown): string {
  return typeof message === 'string' ? message : '';
}
