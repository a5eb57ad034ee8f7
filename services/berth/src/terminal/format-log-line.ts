/** `null`: not worth a line. */
const levelNames: Readonly<Record<string, string | null>> = {
  trace: null,
  debug: null,
  warn: 'warning: ',
  error: 'ERROR: ',
  fatal: 'FATAL: ',
};
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
  'containerName',
  'edgeReplicaId',
]);
const longestValue = 160;

/** Turns a line of a service's log into what a person reads; `null`: not worth a line on the terminal. */
export type LogFormatter = (line: string) => string | null;

/**
 * Time, service, what happened, its fields. Left out: lines below info, single requests that went well, and a plan that only repeats what was said about
 * its model before (a step that waits plans several times a second). A line that is not JSON is shown as it is, since that is how a crash looks.
 */
export function createLogFormatter(service: string): LogFormatter {
  const lastPlans = new Map<unknown, string>();
  return (line) => {
    const record = parseRecord(line);
    if (record === null) return line.trim() === '' ? null : `         ${service}  ${line}`;
    const level = levelNames[String(record['level'])];
    if (level === null || (level === undefined && 'requestId' in record)) return null;
    if ('plan' in record) {
      const plan = formatValue(record['plan']);
      if (lastPlans.get(record['model']) === plan) return null;
      lastPlans.set(record['model'], plan);
    }
    const time = typeof record['time'] === 'number' ? new Date(record['time']).toTimeString().slice(0, 8) : '        ';
    const fields = Object.entries(record).flatMap(([key, value]) =>
      hidden.has(key) || value === null ? [] : [`${key}=${formatValue(value)}`],
    );
    const event = typeof record['msg'] === 'string' ? record['msg'] : '';
    return `${time} ${service}  ${level ?? ''}${event}${fields.length === 0 ? '' : `  ${fields.join(' ')}`}`;
  };
}

function parseRecord(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** A plan by its kind and the codes of its reasons, an error by its message; the rest as it is, but not endlessly. */
function formatValue(value: unknown): string {
  if (typeof value === 'string') return value.includes(' ') ? JSON.stringify(value) : value;
  if (typeof value !== 'object' || value === null) return String(value);
  if ('message' in value && typeof value.message === 'string') return JSON.stringify(value.message);
  if ('kind' in value && 'reasons' in value && Array.isArray(value.reasons)) {
    return `${String(value.kind)}(${[...new Set(value.reasons.map(codeOf))].join(', ')})`;
  }
  const text = JSON.stringify(value);
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
}

function codeOf(reason: unknown): string {
  return typeof reason === 'object' && reason !== null && 'code' in reason ? String(reason.code) : '';
}
