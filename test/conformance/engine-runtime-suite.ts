import type { EngineHandle, EngineRuntime, EngineSpec, EngineStatus, InstallationId } from '@berth/core';
import { asId, toEngineIdentity } from '@berth/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { FakeEngine } from '../support/fake-engine.ts';
import { FAKE_ENGINE_LINES, fakeEngineArguments } from '../support/fake-engine.ts';

/** One adapter under test, with the fake engine at hand. */
export interface EngineRuntimeFixture extends AsyncDisposable {
  /** A runtime over the same engines, as after a restart of Berth. */
  open(installationId: InstallationId, hostId: string): Promise<EngineRuntime>;
  /** What makes a spec run the fake engine. */
  readonly program: Pick<EngineSpec, 'image' | 'command'> & Partial<EngineSpec>;
  /** What names nothing that is there. */
  readonly missingProgram: Pick<EngineSpec, 'image' | 'command'>;
  isServing(status: EngineStatus): Promise<boolean>;
  isAlive(pid: number): boolean;
  /** Whether engines keep the port of their spec. */
  readonly keepsPort: boolean;
}

let sequence = 0;

/** The guarantees of the port `EngineRuntime`, run on one adapter. */
export function describeEngineRuntime(adapter: string, createFixture: () => Promise<EngineRuntimeFixture>): void {
  describe(`EngineRuntime: ${adapter}`, () => {
    const installationId = asId<InstallationId>(`conformance-${process.pid}-${Date.now()}`);
    let fixture: EngineRuntimeFixture;
    let runtime: EngineRuntime;

    beforeAll(async () => {
      fixture = await createFixture();
      runtime = await fixture.open(installationId, 'local');
    });
    afterAll(async () => {
      const left = await runtime.listEngines();
      for (const engine of left) await runtime.removeEngine(engine.handle);
      await fixture[Symbol.asyncDispose]();
      expect(left).toEqual([]);
    });

    function specOf(wish: Partial<FakeEngine> = {}, overrides: Partial<EngineSpec> = {}): EngineSpec {
      sequence += 1;
      const generation = `${Date.now()}${sequence}`;
      return {
        installationId,
        hostId: 'local',
        generation: asId(generation),
        model: asId('fake'),
        signature: asId('signature'),
        imageId: 'image',
        hasCounter: true,
        servedNames: ['fake', 'alias'],
        allocations: [{ gpuUuid: asId('GPU-1'), vramMiB: 1024 }],
        discovery: false,
        kvCacheBytes: 1024,
        port: 8000,
        createdAtMs: 1_780_000_000_000,
        containerName: `berth-fake-${process.pid}-${generation}`,
        args: fakeEngineArguments(wish),
        env: { FAKE_ENGINE_MARKER: 'secret-of-the-environment' },
        gpuUuids: [],
        mounts: [],
        shmSizeBytes: null,
        stopGraceMs: 10_000,
        ...fixture.program,
        ...overrides,
      };
    }

    /** Created, and removed when the test ends. */
    async function create(spec: EngineSpec): Promise<EngineHandle> {
      const handle = await runtime.createEngine(spec);
      onTestFinished(() => runtime.removeEngine(handle));
      return handle;
    }

    async function inspect(handle: EngineHandle): Promise<EngineStatus> {
      const status = await runtime.inspectEngine(handle);
      if (status === null) throw new Error(`${handle} is gone`);
      return status;
    }

    const untilState = (handle: EngineHandle, state: EngineStatus['state']) =>
      eventually(`engine is ${state}`, async () => {
        const status = await inspect(handle);
        return status.state === state && status;
      });

    const untilServing = (handle: EngineHandle) =>
      eventually('engine serves', async () => {
        const status = await inspect(handle);
        if (status.state === 'exited') throw new Error(`it ended: ${(await runtime.readLog(handle, { lines: 20 })).join('\n')}`);
        return (await fixture.isServing(status)) && status;
      });

    async function serve(spec: EngineSpec): Promise<EngineHandle> {
      const handle = await create(spec);
      await runtime.startEngine(handle);
      await untilServing(handle);
      return handle;
    }

    it('creates an engine without starting it', async () => {
      const handle = await create(specOf());
      expect(await inspect(handle)).toMatchObject({ state: 'created', exitCode: null, startedAtMs: null });
      expect(await runtime.processIds(handle)).toEqual([]);
      expect(await runtime.readLog(handle, { lines: 10 })).toEqual([]);
    });

    it('returns the engine that is there when it is created again', async () => {
      const spec = specOf();
      const handle = await serve(spec);
      expect(await runtime.createEngine(spec)).toBe(handle);
      expect((await inspect(handle)).state).toBe('running');
    });

    it('refuses to create an engine whose image or program is missing', async () => {
      const spec = specOf({}, fixture.missingProgram);
      await expect(runtime.createEngine(spec)).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
      expect((await runtime.listEngines()).map((engine) => engine.containerName)).not.toContain(spec.containerName);
    });

    it('gives the same image id again for the same image', async () => {
      const { image, command } = fixture.program;
      const id = await runtime.resolveImageId(image, command);
      expect(id).toBeTypeOf('string');
      expect(await runtime.resolveImageId(image, command)).toBe(id);
    });

    it('starts an engine that then serves at its URL, with its environment and its port', async () => {
      const before = Date.now();
      const handle = await serve(specOf({ startMs: 50 }));
      const status = await inspect(handle);
      expect(status).toMatchObject({ state: 'running', exitCode: null });
      expect(status.startedAtMs).toBeGreaterThanOrEqual(before - 1000);
      const url = status.urls.address ?? status.urls.loopback ?? '';
      const log = await runtime.readLog(handle, { lines: 10 });
      expect(log).toContain(FAKE_ENGINE_LINES.listening(Number(new URL(url).port)));
      expect(log).toContain(FAKE_ENGINE_LINES.marker('secret-of-the-environment'));
    });

    it('leaves a running engine alone when it is started again', async () => {
      const handle = await serve(specOf());
      const pids = await runtime.processIds(handle);
      await runtime.startEngine(handle);
      expect(await runtime.processIds(handle)).toEqual(pids);
    });

    it('does not run an engine a second time', async () => {
      const handle = await create(specOf({ exitCode: 3 }));
      await runtime.startEngine(handle);
      const first = await untilState(handle, 'exited');
      await runtime.startEngine(handle);
      expect(await inspect(handle)).toEqual(first);
    });

    it.each([0, 3])('tells the exit code %i of an engine that ended by itself', async (exitCode) => {
      const handle = await create(specOf({ exitCode }));
      await runtime.startEngine(handle);
      expect(await untilState(handle, 'exited')).toMatchObject({ exitCode });
      expect(await runtime.processIds(handle)).toEqual([]);
    });

    it('says that an engine it cannot find is gone, and does nothing to it', async () => {
      const spec = specOf();
      const handle = await runtime.createEngine(spec);
      await runtime.removeEngine(handle);
      expect(await runtime.inspectEngine(handle)).toBeNull();
      await runtime.stopEngine(handle, { graceMs: 100 });
      await runtime.removeEngine(handle);
      expect(await runtime.processIds(handle)).toEqual([]);
      expect(await runtime.readLog(handle, { lines: 10 })).toEqual([]);
      await expect(runtime.startEngine(handle)).rejects.toMatchObject({ code: 'ENGINE_START_FAILED' });
    });

    it('asks an engine to end before it makes it end', async () => {
      const handle = await serve(specOf());
      await runtime.stopEngine(handle, { graceMs: 10_000 });
      expect(await inspect(handle)).toMatchObject({ state: 'exited', exitCode: 0 });
      expect(await runtime.readLog(handle, { lines: 1 })).toEqual([FAKE_ENGINE_LINES.terminated]);
    });

    it('ends an engine that ignores SIGTERM when its grace is over', async () => {
      const handle = await serve(specOf({ onSigterm: 'ignore' }));
      await runtime.stopEngine(handle, { graceMs: 1000 });
      expect(await inspect(handle)).toMatchObject({ state: 'exited', exitCode: 137 });
      expect(await runtime.readLog(handle, { lines: 1 })).toEqual([FAKE_ENGINE_LINES.terminated]);
    });

    it('does not ask first when there is no grace', async () => {
      const handle = await serve(specOf({ onSigterm: 'ignore' }));
      await runtime.stopEngine(handle, { graceMs: 0 });
      expect(await inspect(handle)).toMatchObject({ state: 'exited', exitCode: 137 });
      expect(await runtime.readLog(handle, { lines: 10 })).not.toContain(FAKE_ENGINE_LINES.terminated);
    });

    it('leaves no process when it has stopped an engine, children included', async () => {
      const handle = await serve(specOf({ child: true }));
      const pids = await eventually('two processes', async () => {
        const found = await runtime.processIds(handle);
        return found.length >= 2 && found;
      });
      expect(pids.every((pid) => fixture.isAlive(pid))).toBe(true);
      await runtime.stopEngine(handle, { graceMs: 500 });
      expect(await runtime.processIds(handle)).toEqual([]);
      expect(pids.filter((pid) => fixture.isAlive(pid))).toEqual([]);
    });

    it('takes a second stop, and the stop of an engine that never started, for done', async () => {
      const idle = await create(specOf());
      await runtime.stopEngine(idle, { graceMs: 100 });
      const handle = await serve(specOf());
      await Promise.all([runtime.stopEngine(handle, { graceMs: 5000 }), runtime.stopEngine(handle, { graceMs: 5000 })]);
      await runtime.stopEngine(handle, { graceMs: 0 });
      expect((await inspect(handle)).state).toBe('exited');
    });

    it('removes an engine that still runs, with all its processes', async () => {
      const handle = await serve(specOf());
      const pids = await runtime.processIds(handle);
      await Promise.all([runtime.removeEngine(handle), runtime.removeEngine(handle)]);
      expect(await runtime.inspectEngine(handle)).toBeNull();
      expect(pids.filter((pid) => fixture.isAlive(pid))).toEqual([]);
    });

    it('keeps the log of a stopped engine, its last lines in order', async () => {
      const handle = await serve(specOf({ lines: 40 }));
      await runtime.stopEngine(handle, { graceMs: 0 });
      const log = await runtime.readLog(handle, { lines: 500 });
      const odd = Array.from({ length: 20 }, (_, index) => FAKE_ENGINE_LINES.line(2 * index + 1));
      const even = Array.from({ length: 20 }, (_, index) => FAKE_ENGINE_LINES.line(2 * index + 2));
      expect(log.filter((line) => odd.includes(line))).toEqual(odd);
      expect(log.filter((line) => even.includes(line))).toEqual(even);
      expect(await runtime.readLog(handle, { lines: 2 })).toEqual(log.slice(-2));
    });

    it('lists every engine of the installation and host with who it is, and nobody else’s', async () => {
      const specs = [specOf(), specOf(), specOf({ exitCode: 0 })];
      const [idle, running, over] = await Promise.all(specs.map(create));
      if (idle === undefined || running === undefined || over === undefined) throw new Error('three engines were created');
      await runtime.startEngine(running);
      await runtime.startEngine(over);
      await untilState(over, 'exited');
      const listed = new Map((await runtime.listEngines()).map((engine) => [engine.handle, engine]));
      expect([idle, running, over].map((handle) => listed.get(handle)?.status.state)).toEqual(['created', 'running', 'exited']);
      for (const [index, handle] of [idle, running, over].entries()) {
        const spec = specs[index];
        if (spec === undefined) continue;
        const identity = listed.get(handle)?.identity;
        expect(listed.get(handle)?.containerName).toBe(spec.containerName);
        expect(identity).toEqual(toEngineIdentity(fixture.keepsPort ? spec : { ...spec, port: identity?.port ?? 0 }));
      }
      expect(JSON.stringify([...listed.values()])).not.toContain('secret-of-the-environment');
      for (const stranger of [await fixture.open(asId('another'), 'local'), await fixture.open(installationId, 'another')]) {
        expect(await stranger.listEngines()).toEqual([]);
      }
    });

    it('gives every engine a URL of its own', async () => {
      const handles = [await create(specOf()), await create(specOf())];
      for (const handle of handles) await runtime.startEngine(handle);
      const [first, second] = await Promise.all(handles.map(untilServing));
      expect(first?.urls).not.toEqual(second?.urls);
    });

    it('calls back when an engine ends that nobody stopped, and no more once the watch is closed', async () => {
      const exits: EngineHandle[] = [];
      const watch = await runtime.watchExits((handle) => exits.push(handle));
      const handle = await create(specOf({ exitCode: 1 }));
      await runtime.startEngine(handle);
      await eventually('the exit is told', () => exits.includes(handle));
      await watch[Symbol.asyncDispose]();
      const later = await create(specOf({ exitCode: 1 }));
      await using second = await runtime.watchExits((ended) => exits.push(asId(`second ${ended}`)));
      expect(second).toBeDefined();
      await runtime.startEngine(later);
      await eventually('the second watch is told', () => exits.includes(asId(`second ${later}`)));
      expect(exits).not.toContain(later);
    });

    it('finds a running engine again after a restart, watches it and stops it', async () => {
      const spec = specOf();
      const handle = await serve(spec);
      const pids = await runtime.processIds(handle);
      const restarted = await fixture.open(installationId, 'local');
      const adopted = (await restarted.listEngines()).find((engine) => engine.containerName === spec.containerName);
      expect(adopted).toMatchObject({ handle, identity: { generation: spec.generation }, status: { state: 'running' } });
      expect(await restarted.processIds(handle)).toEqual(pids);
      const exits: EngineHandle[] = [];
      await using watch = await restarted.watchExits((ended) => exits.push(ended));
      expect(watch).toBeDefined();
      await restarted.stopEngine(handle, { graceMs: 5000 });
      await eventually('its exit is told', () => exits.includes(handle));
      expect((await restarted.inspectEngine(handle))?.state).toBe('exited');
    });
  });
}
