import type { IncomingMessage } from 'node:http';
import { withoutHeader } from '../http/header-lines.ts';
import type { ClientHeaders } from '../downstream/client-headers.ts';
import type { PlainRequest } from '../downstream/plain-request.ts';
import type { ByteBudget } from './byte-budget.ts';
import { engineRequestHeaders } from './headers.ts';
import { lingerOver } from './linger.ts';
import { RequestBody } from './request-body.ts';
import type { BodyLimits } from './request-body.ts';

/** What a client asks for, however it was read from its connection. */
export interface ClientRequest {
  readonly headers: ClientHeaders;
  /** Called once. */
  openBody(limits: BodyLimits, budget: ByteBudget): RequestBody;
  /** In lines, each with its end. `readable`: the engine's answer must be one that Berth can read. */
  engineHeaders(readable: boolean): string;
  /** Once the answer is complete: takes away what is left of the body. */
  discardRest(): void;
}

/** A request as Node's own server reads it. */
export class IncomingRequest implements ClientRequest {
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  get headers(): ClientHeaders {
    return this.#incoming.headers;
  }

  openBody(limits: BodyLimits, budget: ByteBudget): RequestBody {
    return new RequestBody(this.#incoming, limits, budget);
  }

  engineHeaders(readable: boolean): string {
    const { rawHeaders, headers } = this.#incoming;
    return engineRequestHeaders(rawHeaders, headers.connection, readable);
  }

  discardRest(): void {
    lingerOver(this.#incoming);
  }
}

/** A request that came whole and needs no more than `readPlainRequest` knows of HTTP. */
export class WholeRequest implements ClientRequest {
  readonly #request: PlainRequest;

  constructor(request: PlainRequest) {
    this.#request = request;
  }

  get headers(): ClientHeaders {
    return this.#request.headers;
  }

  openBody(limits: BodyLimits, budget: ByteBudget): RequestBody {
    return RequestBody.ofBytes(this.#request.body, limits, budget);
  }

  engineHeaders(readable: boolean): string {
    const { engineHeaders } = this.#request;
    return readable ? withoutHeader(engineHeaders, 'accept-encoding') : engineHeaders;
  }

  discardRest(): void {}
}
