import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Longest head of a request, in all; engines take more (70 kB, vLLM 0.32.0, measured). */
export const LONGEST_HEAD_BYTES = 32 * 1024;
/** Most headers of a request. Node would drop those beyond its own limit without a word, so that limit is off. */
export const MOST_HEADERS = 200;

/** How long a client may take to close a connection on which it was refused; closing it at once can reset it before the answer is read. */
const LINGER_MS = 500;

/** What stands in no host (RFC 3986 §3.2.2). */
const NO_HOST = /[^A-Za-z0-9._~!$&'()*+,;=:[\]%-]/;

/** Whether a `Host` header may have the value. */
export function isHost(value: string): boolean {
  return !NO_HOST.test(value);
}

/** A refusal that needs no application: the request cannot be understood, or is not for this server. */
interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
}

/** Why a request whose head was read is refused; `null`: it goes on to the application. */
export function refusalOf(incoming: IncomingMessage): Refusal | null {
  const { rawHeaders, headers } = incoming;
  if (rawHeaders.length > 2 * MOST_HEADERS) {
    const message = `The request has more than ${MOST_HEADERS} headers. Send fewer.`;
    return { status: 431, reason: 'Request Header Fields Too Large', message };
  }
  const { httpVersion } = incoming;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    return { status: 505, reason: 'HTTP Version Not Supported', message: 'This server speaks HTTP/1.1. Send the request in it.' };
  }
  if (headers.host === undefined && httpVersion === '1.1') return badRequest('The request has no Host header.');
  if (headers.host !== undefined && !isHost(headers.host)) return NO_URL;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return {
      status: 501,
      reason: 'Not Implemented',
      message: 'Of transfer codings, only `chunked` is known here. Send the body as it is.',
    };
  }
  return null;
}

/** What Node found wrong before there was a request, by the code of its error. */
export function refusalOfError(code: unknown): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const message = `The head of the request is longer than ${LONGEST_HEAD_BYTES} bytes. Send fewer or shorter headers.`;
      return { status: 431, reason: 'Request Header Fields Too Large', message };
    }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, reason: 'Content Too Large', message: 'The chunk extensions of the body are too long. Send it without them.' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, reason: 'Request Timeout', message: 'The head of the request took too long. Send it again.' };
    default:
      return NO_REQUEST;
  }
}

/** A host or a target that makes no URL. */
export const NO_URL: Refusal = badRequest('The target or the Host of the request is malformed.');

/** What is no HTTP/1.1 at all. */
export const NO_REQUEST: Refusal = badRequest('This is no HTTP/1.1 request, or a broken one.');

/** An expectation other than `100-continue`. */
export const UNKNOWN_EXPECTATION: Refusal = {
  status: 417,
  reason: 'Expectation Failed',
  message: 'Of expectations, only `100-continue` is met here.',
};

/** `CONNECT`, which is for proxies that open tunnels. */
export const NO_TUNNELS: Refusal = { status: 405, reason: 'Method Not Allowed', message: 'There are no tunnels here. Use GET or POST.' };

/** Tells a refusal as an answer, after which the connection ends: what follows in it cannot be told apart from a body. */
export function answerRefusal(refusal: Refusal, outgoing: ServerResponse): void {
  const body = bodyOf(refusal);
  outgoing.shouldKeepAlive = false;
  outgoing.writeHead(refusal.status, refusal.reason, [
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
  ]);
  outgoing.end(body);
}

/** Tells a refusal where an answer is made for us. */
export function refusalResponse(refusal: Refusal): Response {
  return new Response(bodyOf(refusal), { status: refusal.status, headers: { 'content-type': 'application/json', connection: 'close' } });
}

/** Tells a refusal where Node has no answer to write to, and ends the connection. */
export function writeRefusal(refusal: Refusal, socket: Duplex): void {
  const body = bodyOf(refusal);
  socket.on('error', () => undefined);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function badRequest(message: string): Refusal {
  return { status: 400, reason: 'Bad Request', message };
}

/** In the form of OpenAI, whatever the path: no route has been chosen yet. */
function bodyOf({ status, message }: Refusal): string {
  const [type, code] = status > 500 ? ['server_error', 'INVALID_REQUEST'] : ['invalid_request_error', codeOf(status)];
  return JSON.stringify({ error: { message, type, param: null, code } });
}

function codeOf(status: number): string {
  if (status === 408) return 'REQUEST_TIMEOUT';
  return status === 413 || status === 431 ? 'REQUEST_TOO_LARGE' : 'INVALID_REQUEST';
}
