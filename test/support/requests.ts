import { request } from 'node:http';

export interface ChatAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly model?: string;
    readonly error?: { readonly code: string | number | null; readonly message: string; readonly type: string };
  };
}

export function chatBody(model: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }], max_tokens: 4, ...more });
}

/** One chat request without any client library's retries. */
export async function postChat(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<ChatAnswer> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as ChatAnswer['body'] };
}

/** A stream that goes on until it is closed, or for as long as the model's context allows. */
export interface OpenStream {
  /** Settles with the first data frame. */
  readonly firstEvent: Promise<void>;
  ended(): boolean;
  /** Frames that carry an error. */
  errorFrames(): readonly string[];
  close(): void;
}

export async function openStream(url: string, model: string): Promise<OpenStream> {
  const first = Promise.withResolvers<void>();
  /** Not joined as they come: a stream may last for minutes, and a test that is busy with its text holds up what it tests. */
  const pieces: string[] = [];
  let ended = false;
  const outgoing = request(
    `${url}/v1/chat/completions`,
    { method: 'POST', headers: { 'content-type': 'application/json' } },
    (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        pieces.push(chunk);
        if (chunk.includes('data:')) first.resolve();
      });
      response.on('close', () => {
        ended = true;
      });
      response.on('error', () => undefined);
    },
  );
  first.promise.catch(() => undefined);
  outgoing.on('error', (error) => first.reject(error));
  // Without a limit it runs on to the end of the model's context.
  outgoing.end(JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }], stream: true, ignore_eos: true }));
  return {
    firstEvent: first.promise,
    ended: () => ended,
    errorFrames: () =>
      pieces
        .join('')
        .split('\n')
        .filter((line) => line.startsWith('data: {"error"')),
    close: () => void outgoing.destroy(),
  };
}

/** What Bull Board shows of the live queue. */
export async function queueCounts(url: string): Promise<{ readonly completedPlacements: number }> {
  const response = await fetch(`${url}/admin/queues/api/queues?activeQueue=placement&status=completed&page=1&jobsPerPage=100`);
  const { queues } = (await response.json()) as { queues: { name: string; jobs: { name: string }[] }[] };
  const jobs = queues.flatMap((queue) => queue.jobs);
  return { completedPlacements: jobs.filter((job) => job.name.startsWith('place')).length };
}
