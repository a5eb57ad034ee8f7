import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** How late a line may be on the terminal. */
const everyMs = 150;

/**
 * Calls back with every full line that is appended to a file from now on. Services write their log into a file and not into a pipe, so that they
 * outlive the process that shows it. Disposing of it delivers what is there and stops.
 */
export function followFile(path: string, onLine: (line: string) => void): Disposable {
  const file = openSync(path, 'a+');
  const buffer = Buffer.alloc(64 * 1024);
  const decoder = new TextDecoder();
  let position = fstatSync(file).size;
  let pending = '';
  const readOn = (): void => {
    for (;;) {
      const length = readSync(file, buffer, 0, buffer.length, position);
      if (length === 0) return;
      position += length;
      const lines = (pending + decoder.decode(buffer.subarray(0, length), { stream: true })).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    }
  };
  const timer = setInterval(readOn, everyMs);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      readOn();
      closeSync(file);
    },
  };
}
