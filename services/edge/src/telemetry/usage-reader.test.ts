import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { completionBody } from '../testing/fake-engine.ts';
import { UsageReader } from './usage-reader.ts';

function read(...pieces: readonly (string | Buffer)[]) {
  const reader = new UsageReader();
  for (const piece of pieces) reader.feed(Buffer.from(piece));
  return reader.usage;
}
const frame = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;

/** Answers as vLLM 0.32.0 writes them, shortened, with what they cost. */
const ANSWERS = {
  'a chat completion': [completionBody('tiny'), 1, 1],
  'a completion with details': [
    '{"choices":[{"text":"a"}],"usage":{"prompt_tokens":12,"total_tokens":15,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8}},"prompt_logprobs":null}',
    12,
    3,
  ],
  'an indented one': ['{\r\n  "usage" : {\r\n    "prompt_tokens": 4,\r\n    "completion_tokens": 5\r\n  }\r\n}\r\n', 4, 5],
  embeddings: ['{"data":[{"embedding":[0.1,0.2]}],"usage":{"prompt_tokens":7,"total_tokens":7,"completion_tokens":0}}', 7, 0],
  'a stream whose last frame tells': [
    `${frame({ choices: [{ delta: { content: 'a' } }], usage: null })}${frame({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 2 } })}data: [DONE]\n\n`,
    9,
    2,
  ],
  'a stream in which every frame tells': [
    `${[1, 2, 3].map((tokens) => frame({ choices: [], usage: { prompt_tokens: 9, completion_tokens: tokens } })).join('')}data: [DONE]\n\n`,
    9,
    3,
  ],
  'a messages stream': [
    `event: message_start\n${frame({ type: 'message_start', message: { usage: { input_tokens: 21, output_tokens: 0 } } })}event: message_delta\n${frame({ type: 'message_delta', usage: { output_tokens: 17 } })}event: message_stop\n${frame({ type: 'message_stop' })}`,
    21,
    17,
  ],
  'a response': [
    '{"object":"response","output":[],"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":0},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":7},"user":null}',
    3,
    4,
  ],
  'a response that repeats tools of the client': [
    `{"tools":[{"parameters":{"properties":{"usage":{"type":"object"}}}}],"usage":{"input_tokens":3,"output_tokens":4}}`,
    3,
    4,
  ],
} as const satisfies Record<string, readonly [string, number, number]>;

describe.each(Object.entries(ANSWERS))('the usage of %s', (_, [answer, promptTokens, completionTokens]) => {
  it('is found', () => {
    expect(read(answer)).toEqual({ promptTokens, completionTokens });
  });

  it('is found wherever the answer is cut in two', () => {
    for (let at = 0; at <= answer.length; at += 1) {
      expect([at, read(answer.slice(0, at), answer.slice(at))]).toEqual([at, { promptTokens, completionTokens }]);
    }
  });

  it('is found however the answer is cut to pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(answer.length), { maxLength: 40 }), (cuts) => {
        const ends = [...cuts.toSorted((one, other) => one - other), answer.length];
        const pieces = ends.map((end, index) => answer.slice(index === 0 ? 0 : ends[index - 1], end));
        expect(read(...pieces)).toEqual({ promptTokens, completionTokens });
      }),
    );
  });

  it('is found byte by byte', () => {
    expect(read(...answer.split(''))).toEqual({ promptTokens, completionTokens });
  });
});

describe('no usage is read', () => {
  it.each([
    ['from an answer without one', '{"choices":[]}'],
    ['from null', '{"usage":null}'],
    ['from a number', '{"usage":12}'],
    ['from a text', '{"usage":"{\\"prompt_tokens\\":5}"}'],
    ['from an answer that breaks off within it', '{"usage":{"prompt_tokens":5,"completion_tokens":'],
    ['from seconds of audio', '{"text":"a","usage":{"type":"duration","seconds":12}}'],
    ['from a key that ends with it', '{"last\\"usage":{"prompt_tokens":5}}'],
    ['from a key that ends with it behind a comma', '{"last,_usage":{"prompt_tokens":5}}'],
    ['from one that counts in halves, below zero or in words', '{"usage":{"prompt_tokens":1.5,"completion_tokens":-1,"input_tokens":"9"}}'],
    ['from one that is no JSON', '{"usage":{"prompt_tokens":05}}'],
    ['from one without an end', `{"usage":{"prompt_tokens":5,"more":"${'x'.repeat(10_000)}`],
  ])('%s', (_, answer) => {
    expect(read(answer)).toBeNull();
    expect(read(...answer.split(''))).toBeNull();
  });
});

test('text that a model generated never counts, whatever it says and however it is cut', () => {
  const words = fc.constantFrom(
    '"usage"',
    '"usage":{"prompt_tokens":5}',
    '\\',
    '"',
    '{',
    ',"usage":{"input_tokens":7}',
    '\n',
    ' ',
    'usage',
    ':',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (texts, size) => {
      const content = texts.join('');
      const answer = JSON.stringify({ choices: [{ message: { content, tool: `{"usage":{"prompt_tokens":8}}${content}` } }] });
      const pieces = Array.from({ length: Math.ceil(answer.length / size) }, (_, at) => answer.slice(at * size, (at + 1) * size));
      expect(read(...pieces)).toBeNull();
      expect(read(...pieces, `,"usage":{"prompt_tokens":1,"completion_tokens":2}}`)).toEqual({ promptTokens: 1, completionTokens: 2 });
    }),
  );
});

test('an object says the same whole and byte by byte, whatever its form', () => {
  const names = fc.constantFrom(
    ...'prompt_tokens completion_tokens input_tokens output_tokens total_tokens _tokens seconds x"y'.split(' '),
  );
  const values = fc.constantFrom(
    ...'0 7 12345 123456789012345 9007199254740991 9007199254740993 00 05 -1 1.5 1e3 "9" null nul true {} []'.split(' '),
  );
  const members = (value: fc.Arbitrary<string>, separator: fc.Arbitrary<string>) =>
    fc
      .tuple(fc.array(fc.tuple(names, value), { maxLength: 5 }), separator, fc.constantFrom(':', ' : '))
      .map(([all, comma, colon]) => `{${all.map(([name, text]) => JSON.stringify(name) + colon + text).join(comma)}}`);
  const commas = fc.constantFrom(',', ',', ' , ', ',,', '');
  const objects = members(fc.oneof({ weight: 5, arbitrary: values }, members(fc.oneof(values, members(values, commas)), commas)), commas);
  fc.assert(
    fc.property(fc.array(objects, { minLength: 1, maxLength: 3 }), (all) => {
      const answer = `{${all.map((object) => `"usage":${object}`).join(',"choices":[],')}}`;
      expect(read(answer)).toEqual(read(...answer.split('')));
    }),
    { numRuns: 3000 },
  );
});

test('an object larger than any usage is given up, and the next one counts', () => {
  const large = `{"usage":{"prompt_tokens":5,"more":"${'x'.repeat(5000)}`;
  expect(read(large, '"},"usage":{"prompt_tokens":6}}')).toEqual({ promptTokens: 6, completionTokens: null });
});
