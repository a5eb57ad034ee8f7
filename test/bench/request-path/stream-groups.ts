import { setTimeout as sleep } from 'node:timers/promises';
import { chatBody, chatRequest, STREAM_MODEL, type AskedAnswer } from './chat-request.ts';
import { StreamClient, type StreamClientOptions } from './stream-client.ts';

export interface NamedStream {
  readonly id: string;
  readonly client: StreamClient;
}

export interface GroupOptions extends Omit<StreamClientOptions, 'request'> {
  readonly count: number;
  readonly key: string;
  readonly answer: Omit<AskedAnswer, 'id'>;
  /** Between two that are opened. */
  readonly everyMs: number;
  /** Default true; else one JSON answer. */
  readonly stream?: boolean;
}

let opened = 0;

/** Opens clients one after another, each with an id of its own. All are gone when it is disposed. */
export class StreamGroup implements Disposable {
  readonly streams: NamedStream[] = [];

  async open({ count, key, answer, everyMs, stream = true, ...options }: GroupOptions): Promise<readonly NamedStream[]> {
    const added: NamedStream[] = [];
    const startedAtMs = performance.now();
    for (let index = 0; index < count; index += 1) {
      const early = startedAtMs + index * everyMs - performance.now();
      if (early > 0) await sleep(early);
      const id = `request-${(opened += 1)}`;
      const request = chatRequest(options.port, key, chatBody(STREAM_MODEL, stream, { id, ...answer }));
      added.push({ id, client: new StreamClient({ ...options, request }) });
    }
    this.streams.push(...added);
    return added;
  }

  [Symbol.dispose](): void {
    for (const { client } of this.streams) client.leave();
  }
}
