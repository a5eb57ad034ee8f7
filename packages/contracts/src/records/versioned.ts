import { OperationalError } from '@berth/core';
import { z } from 'zod';

/** One kind of record or payload: how it is written as text, and read back. */
export interface RecordCodec<Value> {
  /** Versioned JSON text. Fields that the schema does not know are left out. Throws a `ZodError` on a wrong value: that is a bug. */
  write(value: Value): string;
  /** Throws `UNKNOWN_VERSION` on another version, on broken text and on a record that is not what its version says. */
  read(text: string): Value;
  /** The same for a value that is parsed already. */
  readValue(value: unknown): Value;
}

const versionSchema = z.object({ version: z.number() });

/** Builds the codec of one kind of record; `name` appears in errors. */
export function defineRecord<Value>(name: string, version: number, schema: z.ZodType<Value>): RecordCodec<Value> {
  const readValue = (value: unknown): Value => {
    const head = versionSchema.safeParse(value);
    if (!head.success) throw unreadable(name, version, 'it has no version');
    if (head.data.version !== version) throw unreadable(name, version, `it has version ${head.data.version}`);
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw unreadable(name, version, z.prettifyError(parsed.error));
    return parsed.data;
  };
  return {
    write: (value) => JSON.stringify({ version, ...schema.parse(value) }),
    read: (text) => readValue(parseJson(name, version, text)),
    readValue,
  };
}

function parseJson(name: string, version: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(name, version, `it is no JSON: ${String(error)}`);
  }
}

function unreadable(name: string, version: number, why: string): OperationalError {
  return new OperationalError({
    code: 'UNKNOWN_VERSION',
    message: `Cannot read a stored ${name}: version ${version} was expected, but ${why}. Run one version of Berth on one GPU host.`,
    retryable: false,
    details: { record: name, expectedVersion: version },
  });
}
