import type { PullProgress } from '@berth/core';

/** One line of what Docker tells while it pulls (Docker Engine API, `POST /images/create`). */
export interface PullEvent {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
}

interface Layer {
  bytes: number | null;
  downloaded: number;
  extracted: number;
}

/** Unpacking is local work: a third of the way, as seen on large CUDA images. */
const DOWNLOAD_SHARE = 0.7;

/** Sums up a pull. The fraction never goes back; it is `null` until the first layer's size is known. */
export class PullMeter {
  readonly #layers = new Map<string, Layer>();
  #best: number | null = null;

  /** Takes the next event and tells where the pull stands. */
  add(event: PullEvent): PullProgress {
    if (event.id !== undefined) this.#addToLayer(event.id, event);
    const fraction = this.#fraction();
    if (fraction !== null) this.#best = Math.max(this.#best ?? 0, fraction);
    return { fraction: this.#best, message: [event.id, event.status].filter(Boolean).join(': ') };
  }

  #addToLayer(id: string, event: PullEvent): void {
    const known = this.#layers.get(id);
    if (known === undefined && !/^(Pulling fs layer|Waiting|Downloading|Already exists)/.test(event.status ?? '')) return; // the tag, not a layer
    const layer = known ?? { bytes: null, downloaded: 0, extracted: 0 };
    this.#layers.set(id, layer);
    const { current = 0, total } = event.progressDetail ?? {};
    switch (event.status ?? '') {
      case 'Downloading':
        if (total !== undefined && total > 0) {
          layer.bytes = total;
          layer.downloaded = Math.min(1, current / total);
        }
        break;
      case 'Download complete':
      case 'Verifying Checksum':
        layer.downloaded = 1;
        break;
      case 'Extracting':
        layer.downloaded = 1;
        if (total !== undefined && total > 0) layer.extracted = Math.min(1, current / total);
        break;
      case 'Pull complete':
      case 'Already exists':
        layer.downloaded = 1;
        layer.extracted = 1;
        break;
      default:
    }
  }

  /** A layer whose turn has not come tells no size; it counts like the average of those that did. */
  #fraction(): number | null {
    const layers = [...this.#layers.values()];
    const known = layers.map((layer) => layer.bytes).filter((bytes) => bytes !== null);
    if (known.length === 0) return null;
    const average = known.reduce((sum, bytes) => sum + bytes, 0) / known.length;
    let done = 0;
    let all = 0;
    for (const layer of layers) {
      const bytes = layer.bytes ?? average;
      all += bytes;
      done += bytes * (DOWNLOAD_SHARE * layer.downloaded + (1 - DOWNLOAD_SHARE) * layer.extracted);
    }
    return done / all;
  }
}
