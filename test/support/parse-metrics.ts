/** One line of Prometheus' text format. */
export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A scrape, taken apart. */
export interface Scrape {
  /** By name, as `# TYPE` says. */
  readonly types: ReadonlyMap<string, string>;
  readonly samples: readonly ScrapedSample[];
  /** Sum of the samples of this name that have these labels, perhaps among others; `null` where there is none. */
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => number | null;
}

const SAMPLE = /^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? (?<value>[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|Nan|NaN)$/u;
const LABEL = /(?<name>[a-zA-Z_][a-zA-Z0-9_]*)="(?<value>(?:[^"\\\n]|\\["\\n])*)"(?:,|$)/uy;

/**
 * Reads Prometheus' text format 0.0.4 strictly, as promtool does: throws on a line that is no sample, on a metric without `# HELP` and
 * `# TYPE`, on one whose samples do not stand together, on a sample that is told twice, on a counter that does not end in `_total` and on a
 * histogram whose buckets fall or do not end in its count.
 */
export function parseMetrics(text: string): Scrape {
  if (!text.endsWith('\n')) throw new TypeError('the last line has no end');
  const types = new Map<string, string>();
  const helped = new Set<string>();
  const samples: ScrapedSample[] = [];
  const told = new Set<string>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (?<kind>HELP|TYPE) (?<name>\S+) (?<rest>.+)$/u.exec(line)?.groups;
    if (comment !== undefined) {
      const { kind, name = '', rest = '' } = comment;
      if (kind === 'HELP') helped.add(name);
      else if (types.has(name)) throw new TypeError(`${name} is told twice`);
      else types.set(name, rest);
      current = name;
      continue;
    }
    const sample = parseSample(line);
    const family = sample.name === current ? current : sample.name.replace(/_(?:bucket|sum|count)$/u, '');
    if (family !== current || !helped.has(family) || !types.has(family)) throw new TypeError(`${line} stands below ${current}`);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted(([one], [other]) => one.localeCompare(other))]);
    if (told.has(key)) throw new TypeError(`${line} is told twice`);
    told.add(key);
    samples.push(sample);
  }
  for (const [name, type] of types) {
    if (type === 'counter' && !name.endsWith('_total')) throw new TypeError(`${name} is a counter`);
    if (type === 'histogram') checkHistogram(name, samples);
  }
  return { types, samples, value: (name, labels = {}) => sumOf(samples, name, labels) };
}

function parseSample(line: string): ScrapedSample {
  const { name, labels = '', value = '' } = SAMPLE.exec(line)?.groups ?? {};
  if (name === undefined) throw new TypeError(`no sample: ${line}`);
  const parsed: Record<string, string> = {};
  for (LABEL.lastIndex = 0; LABEL.lastIndex < labels.length;) {
    const label = LABEL.exec(labels)?.groups;
    if (label === undefined) throw new TypeError(`labels cannot be read: ${line}`);
    parsed[label['name'] ?? ''] = (label['value'] ?? '').replaceAll(/\\(["\\n])/gu, (_, escaped: string) =>
      escaped === 'n' ? '\n' : escaped,
    );
  }
  return { name, labels: parsed, value: Number(value.replace('Inf', 'Infinity')) };
}

function sumOf(samples: readonly ScrapedSample[], name: string, labels: Readonly<Record<string, string>>): number | null {
  const matching = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return matching.length === 0 ? null : matching.reduce((sum, { value }) => sum + value, 0);
}

function checkHistogram(name: string, samples: readonly ScrapedSample[]): void {
  const series = new Map<string, { last: number; le: number }>();
  for (const sample of samples) {
    const { le, ...rest } = sample.labels;
    const key = JSON.stringify(rest);
    if (sample.name === `${name}_bucket`) {
      const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      const before = series.get(key);
      if (before !== undefined && (bound <= before.le || sample.value < before.last)) throw new TypeError(`${name} falls at ${le}`);
      series.set(key, { last: sample.value, le: bound });
    }
    if (sample.name === `${name}_count` && (series.get(key)?.le !== Number.POSITIVE_INFINITY || series.get(key)?.last !== sample.value)) {
      throw new TypeError(`${name} counts otherwise than its buckets`);
    }
  }
}
