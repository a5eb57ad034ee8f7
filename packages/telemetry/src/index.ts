export { createLogger } from './create-logger.ts';
export type { Logger, LoggerOptions, LogLevel } from './create-logger.ts';
export type { LogFields } from './log-fields.ts';
export { createSieve } from './redact.ts';
