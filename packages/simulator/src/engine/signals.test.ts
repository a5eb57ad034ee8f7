import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { readCard } from '../card/read-card.ts';
import { createTemporaryHost, eventually, oneGpu, small } from '../testing/temporary-host.ts';
import type { TemporaryHost } from '../testing/temporary-host.ts';
import type { ModelSettings } from './model-profile.ts';
import { startEngineProcess } from './start-engine-process.ts';
import type { EngineProcess } from './start-engine-process.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const args = ['small', '--kv-cache-memory-bytes', '1G', '--gpu-memory-utilization', '0.02', '--max-model-len', 'auto'];
const endless = JSON.stringify({ prompt: 'x', max_tokens: 8000, ignore_eos: true, stream: true });
const deadFrame =
  'data: {"error": {"message": "EngineCore encountered an issue. See stack trace (above) for the root cause.", "type": "InternalServerError", "param": null, "code": 500}}\n\ndata: [DONE]\n\n';

function hostWith(settings: ModelSettings): TemporaryHost {
  return createTemporaryHost(oneGpu, { '*': { ...small, ...settings } });
}

/** An open request whose bytes are kept, to see silence, an error frame or the end. */
async function openStream(engine: EngineProcess): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(engine.port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.write(
    `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${endless.length}\r\n\r\n${endless}`,
  );
  await eventually(() => expect(received).toContain('simulated'));
  return { socket, received: () => received };
}

async function awaitRefusal(engine: EngineProcess): Promise<void> {
  await eventually(async () => await expect(fetch(`${engine.url}/health`)).rejects.toThrow('fetch failed'));
}

function corePid(host: TemporaryHost): number {
  return readCard(host.stateDirectory).processes.find((process) => process.state === 'alive')?.pid ?? 0;
}

describe('SIGTERM', () => {
  it('ends an idle engine with exit code 0', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    process.kill(engine.pid, 'SIGTERM');
    expect(await engine.exited).toEqual({ code: 0, signal: null });
    expect(engine.output).toContain('[shutdown] API server: shutdown triggered');
    expect(engine.output).toContain('INFO:     Application shutdown complete.');
  });

  it('frees the GPU but leaves open sockets silent, and ends only when their clients close them', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    const stream = await openStream(engine);
    process.kill(engine.pid, 'SIGTERM');
    await awaitRefusal(engine);
    await eventually(() => expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(0));
    await engine.printed('Waiting for connections to close');
    process.kill(engine.pid, 'SIGTERM');
    const before = stream.received();
    // Nothing to wait for but silence: several token delays long.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(stream.received()).toBe(before);
    expect(stream.socket.readyState).toBe('open');
    stream.socket.destroy();
    expect((await engine.exited).code).toBe(0);
  });

  it('with --shutdown-timeout keeps the port open, lets requests finish and refuses new ones with 500', async () => {
    using host = hostWith({ tokenDelayMs: 5 });
    await using engine = await startEngineProcess({ host, args: [...args, '--shutdown-timeout', '30'] });
    await engine.ready();
    const body = JSON.stringify({ prompt: 'x', max_tokens: 100, ignore_eos: true });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    const running = fetch(`${engine.url}/v1/completions`, init);
    await eventually(async () => expect(await (await fetch(`${engine.url}/metrics`)).text()).toMatch(/num_requests_running\{[^}]*\} 1\.0/));
    process.kill(engine.pid, 'SIGTERM');
    await engine.printed('shutdown triggered');
    expect((await fetch(`${engine.url}/health`)).status).toBe(200);
    const refused = await fetch(`${engine.url}/v1/completions`, init);
    expect([refused.status, await refused.json()]).toMatchObject([
      500,
      { error: { message: 'cannot schedule new futures after shutdown' } },
    ]);
    expect((await running).status).toBe(200);
    expect((await engine.exited).code).toBe(0);
  });

  it('ends an engine that is still importing at once, by the signal', async () => {
    using host = hostWith({ importMs: 60_000 });
    await using engine = await startEngineProcess({ host, args });
    await engine.printed('non-default args');
    process.kill(engine.pid, 'SIGTERM');
    expect(await engine.exited).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('is swallowed while weights load: the engine comes up and serves', async () => {
    using host = hostWith({ weightsMs: 400 });
    await using engine = await startEngineProcess({ host, args });
    await engine.printed('Starting to load model');
    process.kill(engine.pid, 'SIGTERM');
    await engine.ready();
    process.kill(engine.pid, 'SIGTERM');
    expect((await engine.exited).code).toBe(0);
  });

  it('while EngineCore imports leaves it stuck for ever, until a second one ends it with 130', async () => {
    using host = hostWith({ engineImportMs: 300 });
    await using engine = await startEngineProcess({ host, args });
    await engine.printed('Resolved architecture');
    process.kill(engine.pid, 'SIGTERM');
    await engine.printed('init engine');
    await expect(fetch(`${engine.url}/health`)).rejects.toThrow('fetch failed');
    process.kill(engine.pid, 'SIGTERM');
    expect((await engine.exited).code).toBe(130);
  });
});

describe('--sse-keep-alive-interval', () => {
  it('sends comments for ever, from a dead engine too', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args: [...args, '--sse-keep-alive-interval', '0.05'] });
    await engine.ready();
    const stream = await openStream(engine);
    process.kill(engine.pid, 'SIGTERM');
    await engine.printed('Waiting for connections to close');
    const comments = () => stream.received().split(': keep-alive\n\n').length;
    const before = comments();
    await eventually(() => expect(comments()).toBeGreaterThan(before + 2));
    stream.socket.destroy();
    expect((await engine.exited).code).toBe(0);
  });
});

describe('the death of EngineCore', () => {
  it('ends streams with an error frame and [DONE], and the server with exit code 0', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    const stream = await openStream(engine);
    process.kill(corePid(host), 'SIGKILL');
    await eventually(() => expect(stream.received().replaceAll(/\r\n[0-9a-f]+\r\n/g, '')).toContain(deadFrame.trimEnd()));
    await awaitRefusal(engine);
    expect((await engine.exited).code).toBe(0);
    expect(engine.output).toContain('EngineDeadError');
  });

  it('turns /health to 503 and new requests to 500 for a moment, then the port is closed', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    process.kill(corePid(host), 'SIGKILL');
    await engine.printed('engine core exited unexpectedly');
    expect((await fetch(`${engine.url}/health`)).status).toBe(503);
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x"}' };
    expect((await fetch(`${engine.url}/v1/completions`, init)).status).toBe(500);
    expect((await engine.exited).code).toBe(0);
  });

  it('takes the whole engine along when a worker dies', async () => {
    using host = createTemporaryHost([...oneGpu, ...oneGpu]);
    await using engine = await startEngineProcess({ host, args: [...args, '--tensor-parallel-size', '2'] });
    await engine.ready();
    process.kill(corePid(host), 'SIGKILL');
    expect((await engine.exited).code).toBe(0);
    await eventually(() => expect(readCard(host.stateDirectory).gpus.map((gpu) => gpu.usedMiB)).toEqual([0, 0]));
  });
});

describe('a fault on demand', () => {
  it.each<[string, ModelSettings, number]>([
    ['a crash at a phase', { crashAtPhase: 'weights', crashExitCode: 3 }, 1],
    ['a crash with exit code 0 after ready', { crashAfterReadyMs: 50, crashExitCode: 0 }, 0],
  ])('is %s', async (_name, settings, code) => {
    using host = hostWith(settings);
    await using engine = await startEngineProcess({ host, args });
    expect((await engine.exited).code).toBe(code);
  });

  it('is a hang after some requests: /health stays 200, no token comes', async () => {
    using host = hostWith({ hangAfterRequests: 1 });
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x","max_tokens":1}' };
    expect((await fetch(`${engine.url}/v1/completions`, init)).status).toBe(200);
    await expect(fetch(`${engine.url}/v1/completions`, { ...init, signal: AbortSignal.timeout(200) })).rejects.toThrow('timeout');
    expect((await fetch(`${engine.url}/health`)).status).toBe(200);
  });

  it('is a load that never ends, with the port closed', async () => {
    using host = hostWith({ neverReady: true });
    await using engine = await startEngineProcess({ host, args });
    await engine.printed('Initializing a V1 LLM engine');
    await expect(fetch(`${engine.url}/health`)).rejects.toThrow('fetch failed');
  });

  it('is memory that stays in use after the engine has gone', async () => {
    using host = hostWith({ slowReleaseMs: 600_000 });
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    process.kill(engine.pid, 'SIGTERM');
    await engine.exited;
    await eventually(() => expect(readCard(host.stateDirectory).processes[0]?.state).toBe('dead'));
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(2174);
  });

  it('is an EngineCore that holds the GPU a while after its API server was killed', async () => {
    using host = hostWith({ orphanMs: 300 });
    await using engine = await startEngineProcess({ host, args });
    await engine.ready();
    process.kill(engine.pid, 'SIGKILL');
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(2174);
    await eventually(() => expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(0));
  });

  it('is a port that another server has', async () => {
    using host = hostWith({});
    await using first = await startEngineProcess({ host, args });
    await first.ready();
    await using second = await startEngineProcess({ host, args, port: first.port });
    expect((await second.exited).code).toBe(1);
    expect(second.output).toContain('OSError: [Errno 98] Address already in use');
  });

  it.each<[string, string[], ModelSettings, string]>([
    [
      'too long a context',
      ['--max-model-len', '9000'],
      {},
      'User-specified max_model_len (9000) is greater than the derived max_model_len',
    ],
    ['too few GPUs', ['--tensor-parallel-size', '2'], {}, 'World size (2) is larger than the number of available GPUs (1) in this node.'],
    ['a bad value', ['--gpu-memory-utilization', '1.5'], {}, 'Input should be less than or equal to 1'],
    [
      'a model that is not there',
      [],
      { modelMissing: true },
      'huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached',
    ],
  ])('is %s, refused with exit code 1', async (_name, flags, settings, text) => {
    using host = hostWith(settings);
    await using engine = await startEngineProcess({ host, args: ['small', ...flags] });
    expect((await engine.exited).code).toBe(1);
    expect(engine.output).toContain(text);
  });

  it('is an unknown flag', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args: ['small', '--no-such-flag', '1'] });
    expect((await engine.exited).code).toBe(2);
    expect(engine.output).toContain('vllm: error: unrecognized arguments: --no-such-flag 1');
  });
});

describe('sleep without --enable-sleep-mode', () => {
  it('ends what runs with finish_reason abort, holds new requests in no gauge, and answers them after waking', async () => {
    using host = hostWith({});
    await using engine = await startEngineProcess({ host, args, environment: { VLLM_SERVER_DEV_MODE: '1' } });
    await engine.ready();
    const stream = await openStream(engine);
    await fetch(`${engine.url}/sleep?level=1`, { method: 'POST' });
    await eventually(() => expect(stream.received()).toContain('"finish_reason":"abort"'));
    expect(await (await fetch(`${engine.url}/is_sleeping`)).json()).toEqual({ is_sleeping: true });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x","max_tokens":1}' };
    const pending = fetch(`${engine.url}/v1/completions`, init);
    const metrics = await (await fetch(`${engine.url}/metrics`)).text();
    expect(metrics).toMatch(/num_requests_running\{[^}]*\} 0\.0/);
    expect(metrics).toContain('sleep_state="weights_offloaded"} 1.0');
    await fetch(`${engine.url}/wake_up`, { method: 'POST' });
    expect((await pending).status).toBe(200);
    stream.socket.destroy();
  });
});
