import type { ListedEngine } from './engine-host.ts';

/** The engine host as an orchestrator uses it. */
export class EngineCommands {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async start(generation: string, model: string): Promise<string> {
    const { url } = await this.#send<{ url: string }>('start', { generation, model });
    return url;
  }

  async stop(generation: string): Promise<void> {
    await this.#send('stop', { generation });
  }

  /** `null` when there is no such engine. */
  async load(generation: string): Promise<number | null> {
    const { running } = await this.#send<{ running: number | null }>('load', { generation });
    return running;
  }

  list(): Promise<readonly ListedEngine[]> {
    return this.#send('list', {});
  }

  async #send<Answer>(command: string, parameters: Record<string, string>): Promise<Answer> {
    const response = await fetch(`${this.#url}/${command}?${new URLSearchParams(parameters).toString()}`);
    return (await response.json()) as Answer;
  }
}
