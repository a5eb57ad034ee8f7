import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { readyModels, startBerth, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { images } from '@berth/simulator';
import { chatBody, postChat } from '../support/requests.ts';

/** A server that speaks just enough of OpenAI's API, is no vLLM, and has no counter. */
const OPENAI_ENGINE = fileURLToPath(new URL('../support/openai-engine.ts', import.meta.url));

let berth: BerthUnderTest | null = null;

afterEach(async () => {
  await berth?.[Symbol.asyncDispose]();
  berth = null;
});

async function start(options: BerthOptions): Promise<BerthUnderTest> {
  berth = await startBerth(options);
  return berth;
}

describe('an engine that is not vLLM, on the CPU', () => {
  const tool = {
    engine: 'openai',
    source: undefined,
    gpus: 0,
    command: [process.execPath, OPENAI_ENGINE, '{port}'],
    healthPath: '/v1/models',
    idleTimeout: '1s',
  };

  test('is started by its command, gets no flags of vLLM, serves, and is stopped when it idles', async () => {
    const { chat, state, engines } = await start({ models: { tool } });
    const answer = await chat('tool');
    expect(answer.choices[0]?.message.content).toBe('arguments: ');
    expect((await state()).endpoints[0]?.allocations).toEqual([]);
    await eventually('the idle engine to be gone', async () => (await engines()).length === 0);
    expect((await chat('tool')).model).toBe('tool');
  });

  test('runs beside a GPU model that is discovered, which does not stop it', async () => {
    const { chat, state } = await start({ models: { tool: { ...tool, idleTimeout: '10m' }, small: { simulated: { weightsMiB: 3_000 } } } });
    await chat('tool');
    await chat('small');
    expect(readyModels(await state())).toEqual(['small', 'tool']);
  });

  test('proves itself by the probe of the catalog before it gets a request', async () => {
    const { chat } = await start({
      models: { tool: { ...tool, probe: { path: '/v1/chat/completions', body: { model: 'probe', messages: [] } } } },
    });
    const answer = await chat('tool');
    expect(answer.system_fingerprint).toBe('requests before: 1');
  });
});

describe('what a container gets from the catalog', () => {
  test('an engine that is not vLLM runs its command in its image, with the port that Berth expects', async () => {
    const { chat, inspect } = await start({
      runtime: 'docker',
      models: {
        tool: {
          engine: 'openai',
          source: undefined,
          gpus: 0,
          image: images.base,
          command: ['node', '/opt/openai-engine.ts'],
          args: ['{port}', '--any', 'flag'],
          healthPath: '/v1/models',
          volumes: [`${OPENAI_ENGINE}:/opt/openai-engine.ts:ro`],
        },
      },
    });
    expect((await chat('tool')).choices[0]?.message.content).toBe('arguments: --any flag');
    const [container] = await inspect();
    expect(container?.HostConfig.DeviceRequests ?? []).toEqual([]);
  });

  test('env, volumes, local weights, shared memory and HF_TOKEN, and no word of a secret in any log or answer', async () => {
    const { chat, urls, directory, inspect, orchestrator, footprintsFile } = await start({
      runtime: 'docker',
      env: { HF_TOKEN: 'hf_verySecretToken1234', PASSED_ON: 'yes' },
      models: {
        small: {
          source: './weights/small',
          simulated: { weightsMiB: 3_000 },
          env: { MY_SETTING: 'on', MY_API_KEY: 'sk-alsoSecret1234567890' },
          envFrom: ['PASSED_ON'],
          volumes: ['./extra:/extra:ro'],
          shmSize: '2GiB',
        },
      },
      files: { 'weights/small/config.json': '{}', 'extra/note.txt': 'hello' },
    });
    await chat('small');
    const [container] = await inspect();
    expect(container?.Config.Env).toEqual(
      expect.arrayContaining(['MY_SETTING=on', 'MY_API_KEY=sk-alsoSecret1234567890', 'HF_TOKEN=hf_verySecretToken1234', 'PASSED_ON=yes']),
    );
    expect(container?.HostConfig.ShmSize).toBe(2 * 1024 ** 3);
    expect(container?.HostConfig.Privileged).toBe(false);
    expect(container?.HostConfig.SecurityOpt).toContain('no-new-privileges');
    expect(container?.HostConfig.PortBindings ?? {}).toEqual({});
    expect(container?.Mounts.map((mount) => [mount.Source, mount.Destination, mount.RW])).toEqual(
      expect.arrayContaining([
        [join(directory, 'extra'), '/extra', false],
        [join(directory, 'weights', 'small'), '/models/small', false],
        [join(directory, 'huggingface'), '/root/.cache/huggingface', true],
      ]),
    );
    const written = [
      JSON.stringify(await orchestrator().readLog()),
      await readFile(footprintsFile, 'utf8'),
      await (await fetch(`${urls[0] ?? ''}/admin/v1/state`)).text(),
      await (await fetch(`${urls[0] ?? ''}/admin/queues/api/queues?activeQueue=placement&status=completed&page=1`)).text(),
      JSON.stringify(container?.Config.Labels),
    ].join('\n');
    expect(written).not.toContain('hf_verySecretToken1234');
    expect(written).not.toContain('sk-alsoSecret1234567890');
  });
});

describe('a gateway name for a model', () => {
  test('an alias is answered under the name that was asked for', async () => {
    const { client, urls } = await start({ models: { small: { aliases: ['gpt-4o-mini'], simulated: { weightsMiB: 3_000 } } } });
    const answer = await client().chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hi' }] });
    expect(answer.model).toBe('gpt-4o-mini');
    const stream = await client().chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    });
    for await (const chunk of stream) expect(chunk.model).toBe('gpt-4o-mini');
    expect((await postChat(urls[0] ?? '', chatBody('small'))).body.model).toBe('small');
  });
});
