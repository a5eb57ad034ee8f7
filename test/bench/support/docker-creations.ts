import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

/** A container that was created: its name, labels, and when, by the Docker engine's own clock. */
export interface Creation {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Epoch ms with its fraction. */
  readonly atMs: number;
}

/** Follows the Docker engine's `create` events. */
export class DockerCreations implements Disposable {
  readonly #response: IncomingMessage;
  readonly #seen: Creation[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(response: IncomingMessage) {
    this.#response = response;
    createInterface({ input: response }).on('line', (line) => {
      const event = JSON.parse(line) as { readonly timeNano: number; readonly Actor: { readonly Attributes: Record<string, string> } };
      const { name = '', ...labels } = event.Actor.Attributes;
      this.#seen.push({ name, labels, atMs: event.timeNano / 1e6 });
      for (const look of this.#waiting) look();
    });
  }

  static async follow(socketPath: string): Promise<DockerCreations> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: ['create'] }));
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ socketPath, path: `/events?filters=${filters}` }, resolve);
      outgoing.once('error', reject);
      outgoing.end();
    });
    return new DockerCreations(response);
  }

  /** The first creation that matches, seen already or to come. */
  next(matches: (creation: Creation) => boolean): Promise<Creation> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#seen.find(matches);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** All so far that match. */
  all(matches: (creation: Creation) => boolean): readonly Creation[] {
    return this.#seen.filter(matches);
  }

  [Symbol.dispose](): void {
    this.#response.destroy();
  }
}
