import { badArguments } from './failures.ts';
import type { SmiAnswer } from './failures.ts';

/** A column of a query: its unit, if it has one, goes into the header and behind each value. */
export interface Column<Row> {
  header: string;
  unit?: string;
  value: (row: Row) => string | number;
}

export interface CsvRequest {
  fields: readonly string[];
  header: boolean;
  units: boolean;
}

/** Renders rows as `--format=csv` does: ", " between columns, values in brackets without a unit, an unknown field is exit code 2. */
export function renderCsv<Row>(columns: Readonly<Record<string, Column<Row>>>, rows: readonly Row[], request: CsvRequest): SmiAnswer {
  const chosen: Column<Row>[] = [];
  for (const field of request.fields) {
    const column = columns[field];
    if (column === undefined) return badArguments(`Field "${field}" is not a valid field to query.\n`);
    chosen.push(column);
  }
  const lines = rows.map((row) => chosen.map((column) => renderValue(column, row, request.units)).join(', '));
  if (request.header) lines.unshift(chosen.map((column) => renderHeader(column)).join(', '));
  return { exitCode: 0, stdout: lines.map((line) => `${line}\n`).join('') };
}

function renderHeader<Row>(column: Column<Row>): string {
  return column.unit === undefined ? column.header : `${column.header} [${column.unit}]`;
}

function renderValue<Row>(column: Column<Row>, row: Row, units: boolean): string {
  const value = String(column.value(row));
  return column.unit === undefined || !units || value.startsWith('[') ? value : `${value} ${column.unit}`;
}
