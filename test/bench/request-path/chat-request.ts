/** How the upstream is to answer; part of the body, since a body passes every hop unchanged. */
export interface AskedAnswer {
  /** Names the request in the upstream's report. */
  readonly id: string;
  readonly firstByteMs: number;
  readonly events: number;
  /** Between two events; 0: as fast as they are taken. */
  readonly paceMs: number;
}

export const CHAT_PATH = '/v1/chat/completions';
/** Models of the catalog, one for each upstream. */
export const JSON_MODEL = 'bench-json';
export const STREAM_MODEL = 'bench-streams';
/** Of the message; the whole body has about 1 kB. */
const MESSAGE_BYTES = 850;

/** Body of a chat request of common size. */
export function chatBody(model: string, stream: boolean, asked?: AskedAnswer): string {
  const messages = [{ role: 'user', content: 'a'.repeat(MESSAGE_BYTES) }];
  return JSON.stringify({ model, stream, max_tokens: 256, bench: asked, messages });
}

/** The whole request as it goes over the wire. The key goes to every target, so that all get the same bytes. */
export function chatRequest(port: number, key: string, body: string): Buffer {
  const headers = Object.entries(chatHeaders(key)).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `POST ${CHAT_PATH} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

export function chatHeaders(key: string): Readonly<Record<string, string>> {
  return { 'content-type': 'application/json', accept: '*/*', authorization: `Bearer ${key}` };
}
