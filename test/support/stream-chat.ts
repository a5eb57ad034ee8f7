import { request } from 'node:http';
import { randomUUID } from 'node:crypto';

/** How one streamed request ended at its client. */
export interface StreamEnd {
  readonly requestId: string;
  readonly model: string;
  /**
   * `served`: whole, with `[DONE]` and no error. `refused`: an error before any token, as a status or in the stream. `broken`: tokens came,
   * and then an error or the end without `[DONE]`.
   */
  readonly kind: 'served' | 'refused' | 'broken';
  readonly detail: string;
  readonly tokens: number;
}

/** Streams one chat answer of that many tokens and says how it ended. */
export function streamChat(url: string, model: string, maxTokens: number): Promise<StreamEnd> {
  const requestId = randomUUID();
  const { promise, resolve } = Promise.withResolvers<StreamEnd>();
  let text = '';
  const finish = (detail: string) => {
    const tokens = text.split('\n').filter((line) => line.startsWith('data: {"id"') && line.includes('"content":"')).length;
    const whole = text.includes('data: [DONE]') && !text.includes('"error"');
    resolve({
      requestId,
      model,
      kind: whole ? 'served' : tokens > 1 ? 'broken' : 'refused',
      detail: whole ? '' : `${detail} ${text.slice(-300)}`,
      tokens,
    });
  };
  const outgoing = request(
    `${url}/v1/chat/completions`,
    { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': requestId } },
    (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('close', () => finish(`status ${response.statusCode ?? 0}`));
      response.on('error', () => undefined);
    },
  );
  outgoing.on('error', (error) => finish(error.message));
  outgoing.end(
    JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }], stream: true, max_tokens: maxTokens, ignore_eos: true }),
  );
  return promise;
}
