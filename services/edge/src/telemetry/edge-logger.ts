/** The part of a pino logger that the edge uses. The message is a fixed phrase; all that varies is a field. */
export interface EdgeLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
