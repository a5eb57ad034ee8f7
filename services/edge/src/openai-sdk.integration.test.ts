import OpenAI, { APIError, NotFoundError } from 'openai';
import { expect, test } from 'vitest';
import { chatHandler, chunkFrame, FakeEngine } from './testing/fake-engine.ts';
import { TestEdge } from './testing/test-edge.ts';
import { waitUntil } from './testing/wait-until.ts';

function clientOf(edge: TestEdge): OpenAI {
  return new OpenAI({ baseURL: `${edge.url}/v1`, apiKey: 'any', maxRetries: 0 });
}

const messages = [{ role: 'user' as const, content: 'hi' }];

test('the official client reads a whole answer and a stream, of a cold model too', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start(chatHandler('tiny'));
  const client = clientOf(edge);
  const words: string[] = [];
  const reading = (async () => {
    for await (const chunk of await client.chat.completions.create({ model: 'tiny', stream: true, messages })) {
      words.push(chunk.choices[0]?.delta.content ?? '');
    }
  })();
  await waitUntil('heartbeats sent', () => edge.host.placing === 1);
  edge.host.serve('tiny', engine.url);
  await reading;
  expect(words.join('')).toBe('one two three');

  const completion = await client.chat.completions.create({ model: 'tiny', messages });
  expect(completion.choices[0]?.message.content).toBe('hello');
});

test('the official client lists models and finds one whose id contains a slash', async () => {
  await using edge = await TestEdge.start();
  const client = clientOf(edge);
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  expect(ids).toEqual(['tiny', 'plain']);
  expect((await client.models.retrieve('org/alias')).id).toBe('tiny');
  await expect(client.models.retrieve('nope')).rejects.toBeInstanceOf(NotFoundError);
});

test('the official client raises an error of the placement after comments, and a break in the middle of a stream', async () => {
  await using edge = await TestEdge.start();
  const client = clientOf(edge);
  const waiting = await client.chat.completions.create({ model: 'tiny', stream: true, messages });
  edge.host.fail('tiny', { code: 'ENGINE_START_FAILED', message: 'The weights are missing.', retryable: false });
  await expect(Array.fromAsync(waiting)).rejects.toThrow('The weights are missing.');

  await using engine = await FakeEngine.start((incoming, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunkFrame('tiny', 'word'), () => incoming.socket.resetAndDestroy());
  });
  edge.host.serve('tiny', engine.url);
  const broken = await client.chat.completions.create({ model: 'tiny', stream: true, messages });
  await expect(Array.fromAsync(broken)).rejects.toBeInstanceOf(APIError);
});
