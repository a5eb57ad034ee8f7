import { createParser } from 'eventsource-parser';
import { describe, expect, it } from 'vitest';
import { asId } from '@berth/core';
import type { ModelName } from '@berth/core';
import type { ModelProgress } from '../placement/model-progress.ts';
import { heartbeat } from './heartbeats.ts';

const NAME = asId<ModelName>('org/big:1');

function progress(fields: Partial<ModelProgress>): ModelProgress {
  return {
    state: 'placing',
    phase: 'queued',
    victims: [],
    waitingFor: null,
    progress: null,
    phaseProgress: null,
    etaMs: null,
    endpoint: null,
    status: null,
    ...fields,
  };
}

describe('a heartbeat', () => {
  it.each([
    ['is queued before anything is known', null, 'phase=queued'],
    ['names those that make room', progress({ phase: 'draining', victims: [asId('a'), asId('org/b')] }), 'phase=draining victims=a,org/b'],
    ['tells what a queued start waits for', progress({ waitingFor: 'start-slot' }), 'phase=queued for=start-slot'],
    ['tells the time left', progress({ state: 'starting', phase: 'weights', etaMs: 40_200 }), 'phase=weights eta=41s'],
    ['says that the engine has the request', progress({ state: 'ready', phase: null }), 'phase=ready'],
  ])('%s', (_, given, words) => {
    expect(heartbeat(NAME, given)).toBe(`: berth model=org/big:1 ${words}\n\n`);
  });

  it('is a comment to an event-stream parser, whatever the names in it are', () => {
    const comments: string[] = [];
    const events: unknown[] = [];
    const parser = createParser({ onComment: (comment) => comments.push(comment), onEvent: (event) => events.push(event) });
    const names = ['plain', 'a\ndata: {"forged":true}\n\n', 'b\r\rdata: x\r\r', 'c\u2028d'].map((name) => asId<ModelName>(name));
    for (const name of names) parser.feed(heartbeat(name, progress({ phase: 'draining', victims: names })));
    expect(events).toEqual([]);
    expect(comments).toHaveLength(names.length);
  });

  it('names a few of many', () => {
    const victims = Array.from({ length: 50 }, (_, index) => asId<ModelName>(`m${index}`));
    expect(heartbeat(NAME, progress({ phase: 'draining', victims }))).toContain('victims=m0,m1,m2,m3,m4\n');
  });
});
