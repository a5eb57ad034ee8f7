import { describe, expect, it } from 'vitest';
import { customProbe, explicitMaxBatchedTokens, probeRequest } from './probe-request.ts';
import type { ProbeOptions } from './probe-request.ts';

const base: ProbeOptions = {
  tasks: ['generate'],
  maxModelLen: 131_072,
  explicitMaxBatchedTokens: null,
  servedName: 'llama',
  onCpu: false,
};
const bodyOf = (changes: Partial<ProbeOptions>): Readonly<Record<string, unknown>> =>
  JSON.parse(probeRequest({ ...base, ...changes }).body);
const lengthOf = (changes: Partial<ProbeOptions>): number => String(bodyOf(changes)['prompt']).split(',').length;

describe('probeRequest', () => {
  it('asks for one token after a prompt as long as one prefill may be', () => {
    expect(probeRequest(base)).toMatchObject({ kind: 'completion', path: '/v1/completions', contentType: 'application/json' });
    expect(bodyOf({})).toMatchObject({ model: 'llama', max_tokens: 1, stream: false });
    expect(lengthOf({})).toBe(16_384);
  });

  it.each([
    [{ explicitMaxBatchedTokens: 65_536 }, 65_536],
    [{ explicitMaxBatchedTokens: 2048 }, 16_384],
    [{ maxModelLen: 8192 }, 8191],
    [{ maxModelLen: 8192, explicitMaxBatchedTokens: 65_536 }, 8191],
    [{ maxModelLen: null }, 255],
    [{ maxModelLen: 1 }, 1],
    [{ onCpu: true }, 1],
  ])('is as long as %j allows', (changes, length) => {
    expect(lengthOf(changes)).toBe(length);
  });

  it.each([
    [['generate', 'transcription'], 'completion', '/v1/completions'],
    [null, 'completion', '/v1/completions'],
    [['transcription'], 'audio', '/v1/audio/transcriptions'],
    [['embed', 'token_embed'], 'embedding', '/v1/embeddings'],
    [['token_classify', 'classify'], 'classify', '/classify'],
    [['score'], 'score', '/score'],
    [['token_embed'], 'pooling', '/pooling'],
    [['embed&token_classify'], 'pooling', '/pooling'],
    [['encode'], 'pooling', '/pooling'],
  ])('asks an engine that serves %j with a %s request', (tasks, kind, path) => {
    expect(probeRequest({ ...base, tasks })).toMatchObject({ kind, path });
  });

  it('sends token ids where the route takes them, and text of that many words where it does not', () => {
    const maxModelLen = 512;
    expect(bodyOf({ tasks: ['embed'], maxModelLen })['input']).toEqual(Array.from({ length: 511 }, () => 100));
    expect(bodyOf({ tasks: ['token_embed'], maxModelLen })['input']).toHaveLength(511);
    const classify = bodyOf({ tasks: ['classify'], maxModelLen });
    expect(String(classify['input']).split(' ')).toHaveLength(511);
    expect(classify['truncate_prompt_tokens']).toBe(511);
    expect(bodyOf({ tasks: ['score'], maxModelLen })).toMatchObject({ text_1: 'a', truncate_prompt_tokens: 511 });
  });

  it('sends thirty seconds of silence as a WAV file that survives as text', async () => {
    const probe = probeRequest({ ...base, tasks: ['transcription'], servedName: 'whisper' });
    const response = new Response(probe.body, { headers: { 'content-type': probe.contentType } });
    const form = await response.formData();
    const file = form.get('file');
    if (!(file instanceof File)) throw new TypeError('the form carries no file');
    const bytes = Buffer.from(await file.arrayBuffer());
    expect(form.get('model')).toBe('whisper');
    expect(file.name).toBe('silence.wav');
    expect(bytes.toString('latin1', 0, 4) + bytes.toString('latin1', 8, 16)).toBe('RIFFWAVEfmt ');
    expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
    const [rate, bytesPerSecond, dataBytes] = [bytes.readUInt32LE(24), bytes.readUInt32LE(28), bytes.readUInt32LE(40)];
    expect(bytesPerSecond).toBe(rate * 2);
    expect(dataBytes).toBe(bytes.length - 44);
    expect(dataBytes / bytesPerSecond).toBeCloseTo(30, 1);
    expect(bytes.subarray(44).every((byte) => byte === 0)).toBe(true);
  });
});

describe('customProbe', () => {
  it('sends the body of the catalog as it is', () => {
    expect(customProbe({ path: '/rank', body: { query: 'a' } })).toEqual({
      kind: 'custom',
      path: '/rank',
      body: '{"query":"a"}',
      contentType: 'application/json',
    });
  });
});

describe('explicitMaxBatchedTokens', () => {
  it('reads the flag in every spelling', () => {
    expect(explicitMaxBatchedTokens(['--max-num-batched-tokens=32K'])).toBe(32_768);
    expect(explicitMaxBatchedTokens(['--max_num_batched_tokens', '2048'])).toBe(2048);
    expect(explicitMaxBatchedTokens(['--max-num-seqs', '4'])).toBeNull();
  });
});
