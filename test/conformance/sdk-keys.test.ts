import { createHash } from 'node:crypto';
import {
  AuthenticationError as AnthropicAuthenticationError,
  PermissionDeniedError as AnthropicPermissionDeniedError,
} from '@anthropic-ai/sdk';
import { AuthenticationError, PermissionDeniedError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { ASKINGS } from './sdk/asking.ts';

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const KEYS = [
  { id: 'owner', sha256: sha256('owner-key'), models: ['*'], rights: ['use', 'place', 'displace'] },
  { id: 'guest', sha256: sha256('guest-key'), models: ['*'], rights: ['use'] },
];
const QUICK = { gpus: 0, args: ['--max-model-len', 8192] };

let berth: BerthUnderTest;

describe('with keys in the catalog', () => {
  const target = { baseUrl: () => berth.urls[0] ?? '' };

  beforeAll(async () => {
    berth = await startBerth({ models: { warm: QUICK, cold: QUICK }, catalog: { keys: KEYS } });
    await ASKINGS[0]?.whole(target, { model: 'warm', text: 'hello', apiKey: 'owner-key' });
  });

  afterAll(() => berth?.[Symbol.asyncDispose]());

  describe.each(ASKINGS)('$sdk: $what', (asking) => {
    const isAnthropic = asking.sdk === '@anthropic-ai/sdk';

    test('a key that may use the model is answered, whole and streamed', async () => {
      const ask = { model: 'warm', text: 'hello', apiKey: 'guest-key' };
      expect(await asking.whole(target, ask)).toContain('simulated');
      expect(await asking.streamed(target, ask)).toContain('simulated');
    });

    test('an unknown key is an authentication error', async () => {
      for (const ask of [asking.whole, asking.streamed]) {
        const asked = ask(target, { model: 'warm', text: 'hello', apiKey: 'wrong-key' });
        if (asking.sdk === 'ai') await expect(asked).rejects.toMatchObject({ statusCode: 401, isRetryable: false });
        else await expect(asked).rejects.toBeInstanceOf(isAnthropic ? AnthropicAuthenticationError : AuthenticationError);
      }
    });

    test('a key without the right to start the model is denied permission', async () => {
      for (const ask of [asking.whole, asking.streamed]) {
        const asked = ask(target, { model: 'cold', text: 'hello', apiKey: 'guest-key' });
        if (asking.sdk === 'ai') await expect(asked).rejects.toMatchObject({ statusCode: 403, isRetryable: false });
        else await expect(asked).rejects.toBeInstanceOf(isAnthropic ? AnthropicPermissionDeniedError : PermissionDeniedError);
      }
    });
  });
});
