/** Rows in columns that are as wide as their widest cell; the first row is the heading. Cells of numbers stand at the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => align(cell, widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function align(cell: string, width: number): string {
  return /^[\d.,]+( [A-Za-z]+)?$/.test(cell) ? cell.padStart(width) : cell.padEnd(width);
}
