/** The value below which `share` of the values lie, by nearest rank; `NaN` of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A table row: name, p50, p99, least, most. */
export function summaryRow(name: string, valuesMs: readonly number[], digits = 1): readonly string[] {
  const figures = [quantile(valuesMs, 0.5), quantile(valuesMs, 0.99), Math.min(...valuesMs), Math.max(...valuesMs)];
  return [name, ...figures.map((figure) => figure.toFixed(digits)), String(valuesMs.length)];
}

export const SUMMARY_HEAD = ['ms', 'p50', 'p99', 'least', 'most', 'rounds'] as const;

/** Prints a Markdown table; the first column is text, the others are figures. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
