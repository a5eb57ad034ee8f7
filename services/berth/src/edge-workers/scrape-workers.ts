import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import type { Logger, MetricSet, Scrape } from '@berth/telemetry';

/** A worker asks the process that started it for the metrics of all workers, and what it gets. */
interface ScrapeRequest {
  readonly kind: 'scrape';
  readonly id: number;
}
interface ScrapeAnswer {
  readonly kind: 'scraped';
  readonly id: number;
  /** `null`: they could not be collected. */
  readonly text: string | null;
}

/** In the process that starts the workers: collects and merges their metrics whenever one of them asks. */
export function answerScrapes(logger: Logger): Disposable {
  const aggregator = new AggregatorRegistry();
  const listener = (worker: Worker, message: unknown): void => {
    if (!isScrapeRequest(message)) return;
    const answer = (text: string | null): void => {
      const scraped: ScrapeAnswer = { kind: 'scraped', id: message.id, text };
      if (worker.isConnected()) worker.send(scraped, () => undefined);
    };
    aggregator.clusterMetrics().then(answer, (error: unknown) => {
      logger.warn({ err: error }, 'edge workers not scraped');
      answer(null);
    });
  };
  cluster.on('message', listener);
  return { [Symbol.dispose]: () => void cluster.off('message', listener) };
}

/**
 * In a worker: a scrape that tells of all workers, since Prometheus reaches any one of them. Rejects when they could not be collected, which a
 * worker that is just ending can cause; the next scrape does better.
 */
export function scrapeAllWorkers(own: MetricSet): () => Promise<Scrape> {
  AggregatorRegistry.setRegistries([own.registry]);
  // Makes this process answer when the metrics of all workers are collected.
  const { contentType } = new AggregatorRegistry();
  const waiting = new Map<number, PromiseWithResolvers<Scrape>>();
  let ids = 0;
  process.on('message', (message) => {
    if (!isScrapeAnswer(message)) return;
    const scrape = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.text === null) scrape?.reject(new Error('the metrics of all workers could not be collected'));
    else scrape?.resolve({ contentType, text: message.text });
  });
  return () => {
    const request: ScrapeRequest = { kind: 'scrape', id: (ids += 1) };
    const scrape = Promise.withResolvers<Scrape>();
    waiting.set(request.id, scrape);
    process.send?.(request);
    return scrape.promise;
  };
}

function isScrapeRequest(message: unknown): message is ScrapeRequest {
  return typeof message === 'object' && message !== null && Reflect.get(message, 'kind') === 'scrape';
}

function isScrapeAnswer(message: unknown): message is ScrapeAnswer {
  return typeof message === 'object' && message !== null && Reflect.get(message, 'kind') === 'scraped';
}
