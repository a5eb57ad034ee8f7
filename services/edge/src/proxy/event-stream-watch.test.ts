import { describe, expect, it } from 'vitest';
import { EventStreamWatch } from './event-stream-watch.ts';

function feed(watch: EventStreamWatch, text: string): boolean {
  return watch.feed(Buffer.from(text));
}

describe('EventStreamWatch', () => {
  it.each([': keep-alive\n\n', '\n', ':\n: more\n\n', '\r\n'])('takes %j for no data', (text) => {
    expect(feed(new EventStreamWatch(), text)).toBe(false);
  });

  it.each(['data: {}\n\n', ': keep-alive\n\ndata: {}\n\n', 'event: ping\n', 'data'])('takes %j for data', (text) => {
    expect(feed(new EventStreamWatch(), text)).toBe(true);
  });

  it('goes on with a comment that comes in pieces', () => {
    const watch = new EventStreamWatch();
    expect([': keep', '-alive', '\n', '\n', 'da', 'ta: 1'].map((piece) => feed(watch, piece))).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
  });

  it('knows when the next event may begin', () => {
    const watch = new EventStreamWatch();
    expect(watch.betweenEvents).toBe(true);
    feed(watch, 'data: {"a"');
    expect(watch.betweenEvents).toBe(false);
    feed(watch, ':1}\n');
    expect(watch.betweenEvents).toBe(false);
    feed(watch, '\n');
    expect(watch.betweenEvents).toBe(true);
  });

  it.each(['data: {"error": {"message": "gone"}}\n\n', 'data: {}\n\ndata: {"error":{}}\n\n', 'event: error\ndata: {}\n\n'])(
    'notices the error frame in %j',
    (text) => {
      const watch = new EventStreamWatch();
      feed(watch, text);
      expect(watch.sawError).toBe(true);
    },
  );

  it('notices an error frame wherever its bytes are cut, and behind the same words in text', () => {
    const text = 'data: {"text":"event: error"}\n\n';
    for (const frame of ['data: {"error": {"message": "gone"}}\n\n', 'event: error\ndata: {}\n\n', 'data: {"type":"error"}\n\n']) {
      const stream = text + frame;
      for (let one = 0; one <= stream.length; one += 1) {
        for (let other = one; other <= stream.length; other += 1) {
          const watch = new EventStreamWatch();
          for (const piece of [stream.slice(0, one), stream.slice(one, other), stream.slice(other)]) feed(watch, piece);
          expect(watch.sawError, JSON.stringify([stream.slice(0, one), stream.slice(one, other)])).toBe(true);
        }
      }
    }
  });

  it('takes no part of a line for one, wherever it is cut', () => {
    const line = 'data: {"text":"data: {"error" event: error data: {"type":"error""}\n\n';
    for (let one = 0; one <= line.length; one += 1) {
      for (let other = one; other <= line.length; other += 1) {
        const watch = new EventStreamWatch();
        for (const piece of [line.slice(0, one), line.slice(one, other), line.slice(other)]) feed(watch, piece);
        expect(watch.sawError).toBe(false);
      }
    }
  });

  it('does not take generated text for an error frame', () => {
    const watch = new EventStreamWatch();
    feed(watch, `data: ${JSON.stringify({ choices: [{ delta: { content: 'data: {"error" and event: error' } }] })}\n\n`);
    expect(watch.sawError).toBe(false);
  });
});
