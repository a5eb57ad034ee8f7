import type { IncomingMessage, ServerResponse } from 'node:http';

const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/**
 * Notes a client that sends its body only when it is asked to (`Expect: 100-continue`, RFC 9110 §10.1.1). Unless the body is asked for,
 * Node ends the connection with the answer: whether the client sends it all the same cannot be told.
 */
export function expectContinue(incoming: IncomingMessage, outgoing: ServerResponse): void {
  waiting.set(incoming, outgoing);
}

/** Lets such a client begin, once; every other one has begun already. */
export function askForBody(incoming: IncomingMessage): void {
  if (incoming.headers.expect === undefined) return;
  const outgoing = waiting.get(incoming);
  waiting.delete(incoming);
  if (outgoing === undefined || outgoing.headersSent) return;
  outgoing.writeContinue();
}
