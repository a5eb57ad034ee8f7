import { NotFoundError, toFile } from 'openai';
import { describe, expect, test } from 'vitest';
import { silentWav } from './silent-wav.ts';
import { openAiOf, type Target } from './target.ts';

/** Models, embeddings and audio. */
export function describeOpenAiOthers(target: Target): void {
  const { models } = target;

  describe('openai: models', () => {
    test('are listed, and each is found by its id, slashes and all', async () => {
      const client = openAiOf(target);
      const listed = (await Array.fromAsync(client.models.list())).map(({ id }) => id);
      expect(listed).toContain(models.chat);
      for (const id of listed) expect((await client.models.retrieve(id)).id).toBe(id);
      expect((await client.models.retrieve(models.chatAlias)).id).toBe(models.chat);
      await expect(client.models.retrieve('no/such/model')).rejects.toBeInstanceOf(NotFoundError);
    });
  });

  describe.skipIf(models.embedding === null)('openai: embeddings', () => {
    const model = models.embedding ?? '';

    test('are the same numbers in base64, which the SDK asks for by itself, and as floats', async () => {
      const client = openAiOf(target);
      const packed = await client.embeddings.create({ model, input: 'A ship' });
      const plain = await client.embeddings.create({ model, input: 'A ship', encoding_format: 'float' });
      const [vector = []] = packed.data.map(({ embedding }) => embedding);
      expect(vector.length).toBeGreaterThan(1);
      expect(vector).toEqual([...Float32Array.from(plain.data[0]?.embedding ?? [])]);
      expect([packed.model, packed.object, packed.usage.prompt_tokens > 0]).toEqual([model, 'list', true]);
    });

    test('come one for each text and each list of token ids', async () => {
      const client = openAiOf(target);
      const texts = await client.embeddings.create({ model, input: ['A ship', 'A boat at its berth'] });
      expect(texts.data.map(({ index }) => index)).toEqual([0, 1]);
      expect(texts.data[0]?.embedding).not.toEqual(texts.data[1]?.embedding);
      const tokens = await client.embeddings.create({ model, input: [[70, 71], [72]] });
      expect(tokens.data).toHaveLength(2);
    });
  });

  describe.skipIf(models.audio === null)('openai: audio', () => {
    const model = models.audio ?? '';

    test('is transcribed to a text, with its parts, and as a stream', async () => {
      const { transcriptions } = openAiOf(target).audio;
      const plain = await transcriptions.create({ model, file: await twoSeconds() });
      expect(plain).toMatchObject({ text: expect.any(String) as string, usage: { type: 'duration', seconds: 2 } });
      const verbose = await transcriptions.create({ model, file: await twoSeconds(), response_format: 'verbose_json', language: 'en' });
      expect(verbose).toMatchObject({ text: plain.text, duration: 2, segments: [{ id: 0 }] });
      const events: unknown[] = await Array.fromAsync(await transcriptions.create({ model, file: await twoSeconds(), stream: true }));
      expect(events.length).toBeGreaterThan(1);
    });

    test('is translated', async () => {
      expect(await openAiOf(target).audio.translations.create({ model, file: await twoSeconds() })).toMatchObject({
        text: expect.any(String) as string,
      });
    });

    test.each([
      ['before', ['model', 'file', 'language']],
      ['behind', ['file', 'language', 'model']],
    ])('is transcribed with the model %s the file', async (_, order) => {
      const values: Record<string, string | Blob> = { model, language: 'en', file: new Blob([silentWav(2)], { type: 'audio/wav' }) };
      const form = new FormData();
      for (const name of order) form.append(name, values[name] ?? '');
      const response = await fetch(`${target.baseUrl()}/v1/audio/transcriptions`, { method: 'POST', body: form });
      expect([response.status, await response.json()]).toMatchObject([200, { text: expect.any(String) as string }]);
    });

    test('for a model that does not exist is refused as such', async () => {
      const asked = openAiOf(target).audio.transcriptions.create({ model: 'no/such/model', file: await twoSeconds() });
      await expect(asked).rejects.toBeInstanceOf(NotFoundError);
    });
  });
}

function twoSeconds() {
  return toFile(silentWav(2), 'silence.wav', { type: 'audio/wav' });
}
