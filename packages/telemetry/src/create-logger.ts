import { pino, stdSerializers } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { BlockWriter } from './block-writer.ts';
import { FlatLog } from './flat-log.ts';
import type { LineDestination } from './flat-log.ts';
import { createSieve, redactFields } from './redact.ts';

export type { Logger } from 'pino';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LoggerOptions {
  /** `edge`, `orchestrator`, …: on every line as `service`. */
  readonly service: string;
  readonly level: LogLevel;
  /** Where lines go; by default stdout, in blocks (see `BlockWriter`). */
  readonly destination?: DestinationStream;
  /** Values that must never be written: HF_TOKEN, the Redis password, keys, values of the catalog's `env`. */
  readonly secrets?: readonly string[];
}

/**
 * A logger that writes one JSON object per line: `level` as a word, `time` in epoch ms, `service`, `pid`, then the fields (see
 * `LogFields`) and `msg`. Fields that hold secrets are written as `[redacted]`, the known secrets and whatever looks like a key
 * are taken out of all texts, errors' messages and stacks included.
 */
export function createLogger(options: LoggerOptions): Logger {
  const base = { service: options.service, pid: process.pid };
  const sieve = createSieve(options.secrets ?? []);
  const destination = options.destination ?? stdout();
  const logger = pino(
    {
      level: options.level,
      base,
      formatters: { level: (label: string) => ({ level: label }), log: redactFields },
      serializers: { err: (error: Error) => redactFields({ ...stdSerializers.err(error) }) },
      hooks: { streamWrite: sieve },
    },
    destination,
  );
  flatLogs.set(logger, new FlatLog({ destination, base, sieve, isWritten: (level) => logger.isLevelEnabled(level) }));
  return redactingBindings(logger);
}

/** The log for flat lines beside a logger of `createLogger`. Of one that somebody else made: its lines reach that logger as fields and a message. */
export function flatLogOf(logger: FieldLogger): FlatLog {
  return (
    flatLogs.get(logger) ?? new FlatLog({ destination: destinationOf(logger), base: {}, sieve: (line) => line, isWritten: () => true })
  );
}

interface FieldLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

function destinationOf(logger: FieldLogger): LineDestination {
  return {
    write: (line) => {
      const { level, time: _, msg, ...fields }: Record<string, unknown> = JSON.parse(line);
      logger[level === 'warn' ? 'warn' : 'info'](fields, String(msg));
    },
  };
}

const flatLogs = new WeakMap<object, FlatLog>();
let standardOutput: BlockWriter | null = null;

/** One for all loggers of the process, so that their lines keep their order. */
function stdout(): BlockWriter {
  standardOutput ??= new BlockWriter(1);
  return standardOutput;
}

/** pino's formatters do not see the fields that child loggers bind, so those are cleaned on the way in; children inherit this. */
function redactingBindings(logger: Logger): Logger {
  const plainChild: unknown = Reflect.get(logger, 'child');
  if (typeof plainChild !== 'function') throw new TypeError('a pino logger has a child method');
  Object.defineProperty(logger, 'child', {
    value(this: Logger, bindings: Record<string, unknown>, ...rest: readonly unknown[]): unknown {
      return Reflect.apply(plainChild, this, [redactFields(bindings), ...rest]);
    },
  });
  return logger;
}
