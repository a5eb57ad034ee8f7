export { linesDropped } from './block-writer.ts';
export { createLogger, flatLogOf } from './create-logger.ts';
export type { Logger, LoggerOptions, LogLevel } from './create-logger.ts';
export type { FlatFields, FlatLog } from './flat-log.ts';
export type { LogFields } from './log-fields.ts';
export { createSieve } from './redact.ts';
