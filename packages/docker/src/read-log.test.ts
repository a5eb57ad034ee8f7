import { describe, expect, it } from 'vitest';
import { readLog } from './read-log.ts';

function frame(stream: 1 | 2, text: string | Buffer): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

describe('readLog', () => {
  it('keeps the order of both streams', () => {
    expect(readLog(Buffer.concat([frame(1, 'one\n'), frame(2, 'two\n'), frame(1, 'three\n')]))).toEqual({
      stdout: 'one\nthree\n',
      stderr: 'two\n',
      lines: ['one', 'two', 'three'],
    });
  });

  it('joins a line that came in several frames, with another stream in between', () => {
    expect(readLog(Buffer.concat([frame(1, 'lo'), frame(2, 'error\n'), frame(1, 'ng\n')])).lines).toEqual(['error', 'long']);
  });

  it('does not break a character that a frame cuts in two', () => {
    const bytes = Buffer.from('é\n');
    expect(readLog(Buffer.concat([frame(1, bytes.subarray(0, 1)), frame(1, bytes.subarray(1))])).lines).toEqual(['é']);
  });

  it('gives an unfinished last line, drops carriage returns and survives a cut frame', () => {
    const cut = frame(1, 'never complete').subarray(0, 5);
    expect(readLog(Buffer.concat([frame(1, 'dos\r\n'), frame(1, 'rest'), cut])).lines).toEqual(['dos', 'rest']);
  });

  it('is empty for nothing', () => {
    expect(readLog(Buffer.alloc(0))).toEqual({ stdout: '', stderr: '', lines: [] });
  });
});
