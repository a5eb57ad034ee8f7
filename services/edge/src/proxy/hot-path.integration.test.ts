import { expect, test } from 'vitest';
import { chatHandler, chunkFrame, completionBody, FakeEngine } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

test('passes a whole answer through with its status, headers and bytes', async () => {
  await using edge = await TestEdge.start();
  const body = completionBody('tiny');
  await using engine = await FakeEngine.start((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json', 'x-engine': 'yes' }).end(body),
  );
  edge.host.serve('tiny', engine.url);

  const answer = await edge.post('/v1/chat/completions', { model: 'tiny', messages: [] });

  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-engine')).toBe('yes');
  expect(await answer.text()).toBe(body);
  expect(engine.seen[0]?.body.toString()).toBe('{"model":"tiny","messages":[]}');
  await waitUntil('slot ended', () => edge.host.inFlight() === 0);
  expect(edge.host.ended).toBe(1);
});

test('passes a stream through byte for byte', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start(chatHandler('tiny'));
  edge.host.serve('tiny', engine.url);

  const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true, messages: [] });

  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(await answer.text()).toBe(['one ', 'two ', 'three'].map((word) => chunkFrame('tiny', word)).join('') + 'data: [DONE]\n\n');
});
