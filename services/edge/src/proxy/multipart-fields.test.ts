import { describe, expect, it } from 'vitest';
import { multipartFields } from './multipart-fields.ts';

async function form(fields: readonly (readonly [string, string | Blob])[]): Promise<{ body: Buffer; type: string }> {
  const data = new FormData();
  for (const [name, value] of fields) data.append(name, value);
  const request = new Request('http://edge/', { method: 'POST', body: data });
  return { body: Buffer.from(await request.arrayBuffer()), type: request.headers.get('content-type') ?? '' };
}

describe('multipartFields', () => {
  it('reads fields before and behind a file, and never the file', async () => {
    const file = new Blob(['\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nother\r\n'], { type: 'audio/wav' });
    const { body, type } = await form([
      ['language', 'de'],
      ['file', file],
      ['model', 'org/whisper'],
      ['stream', 'true'],
    ]);
    expect(Object.fromEntries(multipartFields(body, type) ?? [])).toEqual({ language: 'de', model: 'org/whisper', stream: 'true' });
  });

  it('takes boundaries and names with and without quotes', () => {
    const body = Buffer.from('--b\r\nContent-Disposition: form-data; name=model\r\n\r\ntiny\r\n--b--\r\n');
    expect(multipartFields(body, 'multipart/form-data; boundary="b"')?.get('model')).toBe('tiny');
  });

  it('gives up on what is no multipart body', () => {
    expect(multipartFields(Buffer.from('{}'), 'application/json')).toBeNull();
    expect(multipartFields(Buffer.from('{}'), 'multipart/form-data; boundary=b')).toBeNull();
  });
});
