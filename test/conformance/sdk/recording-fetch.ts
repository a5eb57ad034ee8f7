import { createHash } from 'node:crypto';

/** One request that an SDK made by itself, retries included. */
export interface RecordedRequest {
  /** SHA-256 of the body that was sent, in hex. */
  readonly bodyHash: string;
  /** By `performance.now()`. */
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  readonly status: number;
  readonly retryAfterSeconds: number | null;
  /** All that was answered, as far as it came. */
  readonly text: Promise<string>;
}

/** A `fetch` for an SDK, and what went through it. */
export function recordingFetch(): { readonly fetch: typeof fetch; readonly requests: readonly RecordedRequest[] } {
  const requests: RecordedRequest[] = [];
  const recording: typeof fetch = async (input, init) => {
    const body = init?.body;
    const bodyHash = typeof body === 'string' ? createHash('sha256').update(body).digest('hex') : '';
    const sentAtMs = performance.now();
    const response = await fetch(input, init);
    const retryAfter = response.headers.get('retry-after');
    requests.push({
      bodyHash,
      sentAtMs,
      answeredAtMs: performance.now(),
      status: response.status,
      retryAfterSeconds: retryAfter === null ? null : Number(retryAfter),
      text: readAll(response.clone()),
    });
    return response;
  };
  return { fetch: recording, requests };
}

/** A body that is cut ends the text, and nothing else. */
async function readAll(response: Response): Promise<string> {
  let text = '';
  try {
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += piece;
  } catch {
    // It was cut, which the SDK is told as well.
  }
  return text;
}
