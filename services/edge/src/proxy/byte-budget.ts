/** A limit on bytes held at once by many. */
export class ByteBudget {
  readonly #limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A share that starts empty; disposing gives all of it back. */
  share(): ByteShare {
    let ownBytes = 0;
    return {
      take: (bytes) => {
        if (this.#heldBytes + bytes > this.#limitBytes) return false;
        this.#heldBytes += bytes;
        ownBytes += bytes;
        return true;
      },
      [Symbol.dispose]: () => {
        this.#heldBytes -= ownBytes;
        ownBytes = 0;
      },
    };
  }
}

export interface ByteShare extends Disposable {
  /** `false`, and nothing taken, when the limit would be passed. */
  take(bytes: number): boolean;
}
