import type { ClientHeaders } from '../downstream/client-headers.ts';
import type { Asked, ModelFinder } from './asked.ts';
import { invalidRequest, twoModels } from './asked.ts';
import type { EngineRoute } from './engine-routes.ts';
import { FormFinder } from './form-finder.ts';
import { JsonFinder } from './json-finder.ts';
import type { RequestBody } from './request-body.ts';

/** Reads `model` and `stream` from where the route has them. */
export class RouteReader {
  readonly #route: EngineRoute;
  readonly #body: RequestBody;
  readonly #headers: ClientHeaders;
  #finder: ModelFinder | null = null;
  #fed = 0;
  #asked: Asked | null = null;

  constructor(route: EngineRoute, body: RequestBody, headers: ClientHeaders) {
    this.#route = route;
    this.#body = body;
    this.#headers = headers;
  }

  /**
   * Reads a small body whole, and a large one until its model is known. Throws `INVALID_REQUEST` for a body that cannot be read or names no
   * model, and as `RequestBody.read` does.
   */
  begin(): Asked | Promise<Asked> {
    const body = this.#body;
    const finder = this.#findIn();
    return body.ended ? this.#settle(finder, body) : this.#readUntilKnown(finder, body);
  }

  async #readUntilKnown(finder: ModelFinder, body: RequestBody): Promise<Asked> {
    await body.read(() => body.isLarge && this.#feed(finder, body) && finder.model !== undefined);
    return this.#settle(finder, body);
  }

  /** Reads the rest, and with it the last word on `stream`. Throws as `begin` does. */
  async finish(): Promise<Asked> {
    const [body, finder] = [this.#body, this.#finder];
    if (finder === null || body.ended) return this.#asked ?? this.begin();
    await body.read(() => !this.#feed(finder, body));
    return this.#settle(finder, body);
  }

  #findIn(): ModelFinder {
    const headers = this.#headers;
    const coding = headers['content-encoding'];
    if (coding !== undefined && coding.toLowerCase() !== 'identity') {
      throw invalidRequest('The body has a Content-Encoding, which engines do not decode. Send it as it is.');
    }
    this.#finder = this.#route.modelIn === 'multipart' ? new FormFinder(headers['content-type'] ?? '') : new JsonFinder();
    return this.#finder;
  }

  /** Always true. */
  #feed(finder: ModelFinder, body: RequestBody): true {
    for (; this.#fed < body.pieces.length; this.#fed += 1) finder.feed(body.pieces[this.#fed] ?? Buffer.alloc(0));
    return true;
  }

  #settle(finder: ModelFinder, body: RequestBody): Asked {
    const { whole, ended } = body;
    let asked = whole === null ? null : finder.askedByWhole(whole);
    if (asked === null) {
      this.#feed(finder, body);
      asked = finder.asked(ended);
    }
    const { model } = asked;
    if (this.#asked !== null && this.#asked.model !== model) throw twoModels();
    if (!ended) {
      body.inspect((piece) => {
        finder.feed(piece);
        if (finder.model !== model) throw twoModels();
      });
    }
    this.#asked = asked;
    return asked;
  }
}
