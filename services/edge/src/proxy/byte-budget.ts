import { OperationalError } from '@berth/core';

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

  /** Throws `QUEUE_FULL`, and takes nothing, when the limit would be passed. */
  take(bytes: number): void {
    if (this.#heldBytes + bytes > this.#limitBytes) throw tooManyBytes(this.#limitBytes);
    this.#heldBytes += bytes;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}

function tooManyBytes(limitBytes: number): OperationalError {
  return new OperationalError({
    code: 'QUEUE_FULL',
    message: `The bodies that this edge holds for requests that wait for their models, or whose \`model\` has not come yet, reach ${limitBytes} bytes. Ask again after Retry-After, and put \`model\` in front of files and long texts.`,
    retryable: true,
    details: { limitBytes },
  });
}
