import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../../services/berth/src/install/run-program.ts';
import { findFreePort } from '../../support/berth.ts';
import { eventually } from '../../support/eventually.ts';
import { startEdgeBeside, type BenchBerth } from '../support/bench-berth.ts';
import { startChild, type ChildOptions } from '../support/child.ts';
import { pin, type Pins } from '../support/pins.ts';
import { nginxProxy } from './nginx.ts';

/** Ports of the two upstreams, or of something in front of them. */
export interface Ports {
  /** To the one that answers at once. */
  readonly json: number;
  /** To the one that paces its streams. */
  readonly streams: number;
}

/** Something that requests are sent to. Disposing it ends it. */
export interface Target extends AsyncDisposable {
  readonly ports: Ports;
  /** Of its first process; `null`: the upstream itself, with nothing between. */
  readonly pid: number | null;
}

export type TargetName = 'direct' | 'nginx' | 'go' | 'berth';
/** Starts one anew. */
export type StartTarget = () => Promise<Target>;

export function direct(ports: Ports): StartTarget {
  return async () => ({ ports, pid: null, [Symbol.asyncDispose]: async () => undefined });
}

export function nginx(directory: string, upstream: Ports, pins: Pins | null): StartTarget {
  return async () => {
    const ports = await freePorts();
    const file = join(directory, `nginx-${ports.json}.conf`);
    await writeFile(file, nginxProxy(directory, pairs(ports, upstream)));
    return startProxy([findProgram(['nginx'], process.env) ?? 'nginx', '-p', directory, '-c', file], {
      ports,
      pins,
      logFile: `${file}.log`,
    });
  };
}

export function go(directory: string, program: string, upstream: Ports, pins: Pins | null): StartTarget {
  return async () => {
    const ports = await freePorts();
    const args = pairs(ports, upstream).flatMap(({ port, upstreamPort }) => [String(port), String(upstreamPort)]);
    return startProxy([program, ...args], { ports, pins, logFile: join(directory, 'go.log'), env: { GOMAXPROCS: '1' } });
  };
}

/** One edge with all that it does in production; the model that a request names tells the upstream. */
export function edge(berth: BenchBerth, cores: string | undefined, workers = 1): StartTarget {
  return async () => {
    const { service, port } = await startEdgeBeside(berth, workers);
    pin(service.pid, cores);
    return { ports: { json: port, streams: port }, pid: service.pid, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
  };
}

async function startProxy(
  command: readonly string[],
  options: ChildOptions & { readonly ports: Ports; readonly pins: Pins | null },
): Promise<Target> {
  const { ports, pins } = options;
  const [program = '', ...args] = pins === null ? command : ['taskset', '-c', pins.proxy, ...command];
  await using opened = new AsyncDisposableStack();
  const child = opened.use(await startChild(program, args, options));
  for (const port of [ports.json, ports.streams]) {
    await eventually(`${command[0]} to answer at port ${port}`, () => {
      child.assertRunning();
      return answers(port);
    });
  }
  const started = opened.move();
  return { ports, pid: child.pid, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function answers(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } }).catch(() => null);
  await response?.body?.cancel();
  return response?.ok === true;
}

async function freePorts(): Promise<Ports> {
  return { json: await findFreePort(), streams: await findFreePort() };
}

function pairs(ports: Ports, upstream: Ports): readonly { readonly port: number; readonly upstreamPort: number }[] {
  return [
    { port: ports.json, upstreamPort: upstream.json },
    { port: ports.streams, upstreamPort: upstream.streams },
  ];
}
