import type { DestinationStream } from 'pino';
import type { SecretField } from './redact.ts';

/** Fields of a line that is flat: whatever may hold a secret by its name or its depth has no place in it. */
export type FlatFields = Readonly<Record<string, string | number | boolean | null>> & { readonly [Field in SecretField]?: never };

/** Writes lines whose fields are flat. The message is a fixed phrase without characters that JSON escapes. */
export interface FlatLog {
  info(fields: FlatFields, message: string): void;
  warn(fields: FlatFields, message: string): void;
}

/**
 * Lines as a logger of `createLogger` writes them, at a quarter of the cost: no walk through the fields, since `FlatFields` has none to
 * hide, and one `JSON.stringify` for all of them. The sieve for whatever looks like a secret sees these lines like any other.
 */
export function createFlatLog(parts: {
  readonly destination: DestinationStream;
  readonly base: Readonly<Record<string, string | number>>;
  readonly sieve: (line: string) => string;
  readonly isWritten: (level: 'info' | 'warn') => boolean;
}): FlatLog {
  const { destination, sieve, isWritten } = parts;
  const base = JSON.stringify(parts.base).slice(1, -1);
  const writer = (level: 'info' | 'warn') => {
    const begin = `{"level":"${level}","time":`;
    return (fields: FlatFields, message: string): void => {
      if (!isWritten(level)) return;
      const rest = JSON.stringify(fields).slice(1, -1);
      destination.write(sieve(`${begin}${Date.now()},${base}${rest === '' ? '' : ','}${rest},"msg":"${message}"}\n`));
    };
  };
  return { info: writer('info'), warn: writer('warn') };
}
