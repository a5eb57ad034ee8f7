import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Beyond the time of the load itself. */
const MARGIN_MS = 30_000;

export interface WrkRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Answers other than 2xx and 3xx, and connections that failed. */
  readonly errors: number;
}

/** wrk with one thread (https://github.com/wg/wrk), which keeps one request under way on each connection. */
export class Wrk {
  readonly #script: string;

  private constructor(script: string) {
    this.#script = script;
  }

  /** Writes the script that tells wrk the request into `directory`. */
  static async create(directory: string, request: WrkRequest): Promise<Wrk> {
    const script = join(directory, 'request.lua');
    await writeFile(script, scriptOf(request));
    return new Wrk(script);
  }

  /** Whole seconds. Rejects when it is aborted or wrk fails. */
  async load(
    port: number,
    options: { readonly connections: number; readonly seconds: number; readonly signal: AbortSignal },
  ): Promise<WrkResult> {
    const { connections, seconds, signal } = options;
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '-s', this.#script, `http://127.0.0.1:${port}`];
    const { stdout } = await run('wrk', args, { timeout: seconds * 1000 + MARGIN_MS, signal });
    const figures = /^figures (.*)$/mu.exec(stdout)?.[1];
    if (figures === undefined) throw new Error(`wrk told no figures:\n${stdout}`);
    return JSON.parse(figures) as WrkResult;
  }
}

function scriptOf({ path, headers, body }: WrkRequest): string {
  return [
    'wrk.method = "POST"',
    `wrk.path = ${luaText(path)}`,
    ...Object.entries(headers).map(([name, value]) => `wrk.headers[${luaText(name)}] = ${luaText(value)}`),
    `wrk.body = ${luaText(body)}`,
    'function init() request_text = wrk.format() end',
    'function request() return request_text end',
    'function done(summary, latency)',
    '  local e = summary.errors',
    `  io.write(string.format('figures {"requests":%d,"requestsPerSecond":%.2f,"p50Us":%.1f,"p99Us":%.1f,"errors":%d}\\n',`,
    '    summary.requests, summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99),',
    '    e.connect + e.read + e.write + e.timeout + e.status))',
    'end',
    '',
  ].join('\n');
}

/** JSON's escapes are Lua's too, as far as ASCII without control characters goes. */
function luaText(text: string): string {
  return JSON.stringify(text);
}
