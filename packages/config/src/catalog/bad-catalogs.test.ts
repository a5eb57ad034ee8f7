import { isOperationalError } from '@berth/core';
import { expect, test } from 'vitest';
import { loadCatalog } from './load-catalog.ts';

const MODEL = 'models: { m: { source: x/y } }';

/** Name of the case, text of the catalog, and its problems as `line: key: message`, each complete. */
const BAD: readonly (readonly [string, string, readonly string[]])[] = [
  ['an unknown key at the top', `${MODEL}\ncoldstart: {}`, ['2: coldstart: unknown key. Did you mean coldStart?']],
  ['an unknown key in host', `host:\n  runtme: docker\n${MODEL}`, ['2: host.runtme: unknown key. Did you mean runtime?']],
  [
    'a key in the wrong place',
    `host:\n  idleTimeout: 5m\n${MODEL}`,
    ['2: host.idleTimeout: unknown key here. It belongs under defaults or streams or models.*'],
  ],
  ['an unknown key near to nothing', `drain: { colour: red }\n${MODEL}`, ['1: drain.colour: unknown key. Known here: timeout']],
  [
    'an alias that is a model',
    'models:\n  a: { source: x/y, aliases: [b] }\n  b: { source: x/z }',
    ['2: models.a.aliases[0]: "b" is already the name of a model. Remove the alias'],
  ],
  [
    'an alias of two models',
    'models:\n  a: { source: x/y, aliases: [gpt] }\n  b:\n    source: x/z\n    aliases:\n      - own\n      - gpt',
    ['7: models.b.aliases[1]: "gpt" is already an alias of "a". Remove one of them'],
  ],
  ['a model written twice', 'models:\n  a: { source: x/y }\n  a: { source: x/z }', ['3: a is written twice. Remove one of them']],
  ['a size of zero', 'models: { m: { source: x/y, kvCache: 0GiB } }', ['1: models.m.kvCache: "0GiB" is too small. Write 1MiB or more']],
  [
    'a size that no card has',
    'models: { m: { source: x/y, kvCache: 4096GiB } }',
    ['1: models.m.kvCache: "4096GiB" is larger than any plausible value (1TiB). Check the unit'],
  ],
  [
    'a negative size',
    `host: { reserve: -1GiB }\n${MODEL}`,
    ['1: host.reserve: "-1GiB" is not an amount of memory. Write a number and a unit, such as 4GiB'],
  ],
  ['a size without a unit', `host: { reserve: 4 }\n${MODEL}`, ['1: host.reserve: "4" has no unit. Write 4MiB or 4GiB']],
  ['a duration without a unit', `drain: { timeout: 60 }\n${MODEL}`, ['1: drain.timeout: "60" has no unit. Write 60s or 60m']],
  ['a duration of zero', `stop: { grace: 0s }\n${MODEL}`, ['1: stop.grace: "0s" is too small. Write more than zero']],
  [
    'a reserve that leaves nothing of a card',
    `host:\n  reserve: 8GiB\n  simulatedGpus:\n    - { name: Sim, memory: 8GiB }\n${MODEL}`,
    ['4: host.simulatedGpus[0].memory: 8GiB leave nothing to use after budgetFraction and a reserve of 8GiB. Lower reserve'],
  ],
  ['a fraction over 1', `host: { budgetFraction: 1.5 }\n${MODEL}`, ['1: host.budgetFraction: 1.5 is too large. Write at most 1']],
  ['a fraction of 0', `host: { budgetFraction: 0 }\n${MODEL}`, ['1: host.budgetFraction: 0 is too small. Write more than 0']],
  [
    'an unknown runtime',
    `host: { runtime: proces }\n${MODEL}`,
    ['1: host.runtime: the text "proces" is not one of the choices. Did you mean process? Known: docker, process'],
  ],
  ['a wrong type', 'models: { m: { source: x/y, pinned: yes } }', ['1: models.m.pinned: must be true or false, not the text "yes"']],
  ['half a GPU', 'models: { m: { source: x/y, gpus: 0.5 } }', ['1: models.m.gpus: must be a whole number, not 0.5']],
  [
    'a variable without a value',
    'models: { m: { source: x/y, env: { A: } } }',
    ['1: models.m.env.A: must be text or a number, not nothing'],
  ],
  [
    'a bad variable name',
    `defaults: { envFrom: [A-B] }\n${MODEL}`,
    ['1: defaults.envFrom[0]: "A-B" is not valid here. A variable is named with letters, digits and _, and does not begin with a digit'],
  ],
  [
    'a model name that reads as a flag',
    'models:\n  --x: { source: x/y }',
    [
      '2: models.--x: "--x" is not valid here. A name has letters, digits and . _ : / @ + -, at most 200, and begins with a letter or digit',
    ],
  ],
  [
    'a bad image',
    'models: { m: { source: x/y, image: Vllm/OpenAI } }',
    ['1: models.m.image: "Vllm/OpenAI" is not valid here. Write an image such as vllm/vllm-openai:v0.30.0'],
  ],
  ['no source', 'models: { m: { gpus: 1 } }', ['1: models.m.source: is missing. Write a Hugging Face id such as org/model, or a path']],
  [
    'flags that Berth owns, in every spelling',
    'models: { m: { source: x/y, args: [--port, 1, "--kv_cache_memory_bytes=4G"] } }',
    [
      '1: models.m.args[0]: --port cannot be given here. Berth sets it; under docker write port',
      '1: models.m.args[2]: --kv-cache-memory-bytes cannot be given here. Write kvCache',
    ],
  ],
  [
    'GPUs chosen by hand',
    `defaults: { env: { CUDA_VISIBLE_DEVICES: 0 } }\n${MODEL}`,
    ['1: defaults.env.CUDA_VISIBLE_DEVICES: cannot be set. Berth chooses the GPUs. Write gpus'],
  ],
  [
    'an openai engine under docker without image and port',
    'models: { m: { engine: openai } }',
    [
      '1: models.m.image: is missing. engine: openai needs an image of its own: that of the defaults is for vLLM',
      '1: models.m.args: must say where to listen. Put {port} into command, args or env, or port if the image always listens on the same one',
    ],
  ],
  [
    'an openai engine under process without a program',
    'host: { runtime: process }\nmodels: { m: { engine: openai, port: 80 } }',
    [
      '2: models.m.command: is missing. engine: openai under the process runtime needs the program to run',
      '2: models.m.args: must say where to listen. Put {port} into command, args or env',
    ],
  ],
  [
    'a KV cache of an openai engine',
    'models: { m: { engine: openai, image: "a:1", port: 80, kvCache: 1GiB } }',
    ['1: models.m.kvCache: is a setting of vLLM; engine: openai gets no vLLM flags. Remove it'],
  ],
  [
    'a GPU memory hint without a GPU',
    'models: { m: { source: x/y, gpus: 0, memory: { atLeast: 1GiB } } }',
    ['1: models.m.memory.atLeast: is GPU memory, and gpus: 0 uses none. Remove one of them'],
  ],
  [
    'a probe of vLLM',
    'models: { m: { source: x/y, probe: { path: /x, body: {} } } }',
    ['1: models.m.probe: is for engine: openai only; vLLM is probed by its own task. Remove it'],
  ],
  [
    'volumes that are wrong',
    'models: { m: { source: x/y, volumes: [/a:/b, /c:/b, /d, "/e:/f/../g"] } }',
    ['1: models.m.volumes[2]: "/d" is not valid here. Write host:container or host:container:ro, the container path absolute'],
  ],
  [
    'volumes that meet',
    'models: { m: { source: x/y, volumes: [/a:/b, /c:/b, "/e:/f/../g"] } }',
    [
      '1: models.m.volumes[1]: mounts a second thing at /b. Remove one of them',
      '1: models.m.volumes[2]: "/f/../g" must not contain .. (write the real path)',
    ],
  ],
  [
    'what is not supported yet',
    'models: { m: { source: x/y, memory: { utilization: 0.4 } } }',
    ['1: models.m.memory.utilization: is not supported yet. Size the model with kvCache instead'],
  ],
  [
    'durations that do not go together',
    `${MODEL}\nleases: { ttl: 6s, renew: 3s }\nleader: { ttl: 5s }\nquarantine: { base: 1h }\nbodies: { limit: 1GiB }`,
    [
      '2: leases.renew: 3s is more than a third of leases.ttl allows (2s)',
      '3: leader.abortAfter: 6s is more than 0.8 of leader.ttl allows (4s)',
      '4: quarantine.base: 1h is more than quarantine.max allows (15m)',
      '5: bodies.limit: 1GiB is more than bodies.waiting allows (256MiB)',
    ],
  ],
  ['no models', 'host: {}', ['1: models: is missing. Add a map of keys']],
  ['an empty map of models', 'host: {}\nmodels:', ['2: models: has no entry. Add at least one model']],
  ['an empty file', '# nothing', ['1: the file is empty. Write at least one entry under models']],
  ['a list', '- a', ['1: the file is not a map of settings. It begins with keys such as host: and models:']],
  ['an unknown anchor', 'models:\n  m: *base', ['2: *base refers to no anchor. Add &base']],
  [
    'problems of every kind at once',
    'host:\n  id: "A:B"\nmodels:\n  a:\n    gpus: -1\n    kvCahe: 1GiB\n    args: x\n    aliases: [b]\n  b:\n    source: x/y\n    source: x/z\n',
    [
      '2: host.id: "A:B" is not valid here. A host id has lower-case letters, digits and -, at most 63, and begins with a letter or digit',
      '4: models.a.source: is missing. Write a Hugging Face id such as org/model, or a path',
      '5: models.a.gpus: -1 is too small. Write at least 0',
      '6: models.a.kvCahe: unknown key. Did you mean kvCache?',
      '7: models.a.args: must be a list, not the text "x"',
      '8: models.a.aliases[0]: "b" is already the name of a model. Remove the alias',
      '11: source is written twice. Remove one of them',
    ],
  ],
];

test.each(BAD)('refuses %s, with every problem, its line and a remedy', (_, text, expected) => {
  expect(problemsOf(text)).toEqual(expected);
});

test('a syntax error names its line', () => {
  expect(problemsOf('models:\n  m: { source: x/y\n')[0]).toMatch(/^[23]: Flow map/);
});

test('aliases of aliases without end are refused, not expanded', () => {
  const bomb = Array.from(
    { length: 9 },
    (_, level) =>
      `k${level}: &a${level} [${Array(9)
        .fill(level === 0 ? 'x' : `*a${level - 1}`)
        .join(', ')}]`,
  );
  expect(problemsOf(bomb.join('\n'))).toEqual([expect.stringMatching(/^1: Excessive alias count.*Write the values out$/)]);
});

test('the message names the file in each line', () => {
  expect(() => loadCatalog({ path: '/etc/berth.yaml', home: '/', text: 'a: 1\nmodels: { m: { source: x/y, b: 2 } }' })).toThrow(
    /^The catalog \/etc\/berth\.yaml has 2 problems:\n\/etc\/berth\.yaml:1: a: unknown key\..*\n\/etc\/berth\.yaml:2: models\.m\.b: unknown key\./,
  );
});

function problemsOf(text: string): string[] {
  const prefix = '/etc/berth.yaml:';
  try {
    loadCatalog({ path: '/etc/berth.yaml', home: '/home/ada', text });
    return [];
  } catch (error) {
    if (!isOperationalError(error, 'INVALID_CATALOG')) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.slice(prefix.length));
  }
}
