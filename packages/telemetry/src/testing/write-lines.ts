import { createLogger, flatLogOf } from '../create-logger.ts';

/** A process that logs so many lines to its output and then ends as it was told: `exit`, `throw`, `fatal` with a kill, or by itself. */
const [count, end] = [Number(process.argv[2]), process.argv[3]];
const logger = createLogger({ service: 'test', level: 'info' });
const flat = flatLogOf(logger);
const field = flat.field('at');
for (let at = 0; at < count; at += 1) {
  if (end === 'stay' || at % 2 === 0) {
    flat.begin('info');
    flat.number(field, at);
    flat.end('line written');
  } else {
    logger.info({ at }, 'line written');
  }
}
if (end === 'exit') process.exit(0);
if (end === 'throw') throw new TypeError('nobody catches this');
if (end === 'fatal') {
  logger.fatal({ at: count }, 'last words said');
  process.kill(process.pid, 'SIGKILL');
}
if (end === 'stay') {
  // Its parent reads nothing of what it writes, and hears from it all the same.
  setInterval(() => process.send?.('alive'), 10);
}
