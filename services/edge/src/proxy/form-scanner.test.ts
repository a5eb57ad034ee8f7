import { describe, expect, it } from 'vitest';
import { FormScanner } from './form-scanner.ts';

const TYPE = 'multipart/form-data; boundary=b';

/** What a scanner finds when the body comes in pieces of this many bytes. */
function scan(body: string | Buffer, pieceBytes = 7, type = TYPE): Record<string, string> {
  const scanner = scannerOf(body, pieceBytes, type);
  return Object.fromEntries(scanner.found);
}

function scannerOf(body: string | Buffer, pieceBytes: number, type: string): FormScanner {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const scanner = new FormScanner(type, ['model', 'stream']);
  for (let at = 0; at < bytes.length; at += pieceBytes) scanner.feed(bytes.subarray(at, at + pieceBytes));
  return scanner;
}

function part(name: string, value: string, more = ''): string {
  return `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
}

async function encoded(fields: readonly (readonly [string, string | Blob])[]): Promise<{ body: Buffer; type: string }> {
  const data = new FormData();
  for (const [name, value] of fields) data.append(name, value);
  const request = new Request('http://edge/', { method: 'POST', body: data });
  return { body: Buffer.from(await request.arrayBuffer()), type: request.headers.get('content-type') ?? '' };
}

describe('FormScanner', () => {
  it('reads fields before and behind a file, and never the file, whatever the pieces', async () => {
    const file = new Blob(['\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nother\r\n--', 'x'.repeat(5000)], {
      type: 'audio/wav',
    });
    const fields = [
      ['stream', 'true'],
      ['file', file],
      ['language', 'de'],
      ['model', 'org/größe'],
    ] as const;
    const { body, type } = await encoded(fields);
    for (const pieceBytes of [1, 2, 3, 64, body.length]) {
      const scanner = scannerOf(body, pieceBytes, type);
      expect(Object.fromEntries(scanner.found), `pieces of ${pieceBytes}`).toEqual({ model: 'org/größe', stream: 'true' });
      expect(scanner.ended).toBe(true);
    }
  });

  it.each([
    ['names without quotes', '--b\r\nContent-Disposition: form-data; name=model\r\n\r\ntiny\r\n--b--\r\n'],
    ['header names and types in any case', '--b\r\ncontent-DISPOSITION:FORM-DATA;NAME="model"\r\n\r\ntiny\r\n--b--'],
    ['a line break in front', `\r\n${part('model', 'tiny')}--b--\r\n`],
    ['text behind the end', `${part('model', 'tiny')}--b--\r\n${part('model', 'other')}`],
    [
      'a type and a charset',
      '--b\r\nContent-Disposition: form-data; name="model"\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\ntiny\r\n--b--',
    ],
    ['the same field twice', `${part('model', 'tiny')}${part('model', 'tiny')}--b--`],
    ['a boundary inside a line', `${part('file', 'a--b\r\nb--b--\r\n-b', '; filename="a"')}${part('model', 'tiny')}--b--`],
    [
      'a form inside a form',
      `${part('file', '--c\r\nContent-Disposition: form-data; name="model"\r\n\r\nother\r\n--c--', '; filename="a"')}${part('model', 'tiny')}--b--`,
    ],
    ['parts of no content', `${part('a', '')}${part('model', 'tiny')}--b--`],
  ])('takes %s', (_, body) => {
    for (const pieceBytes of [1, 5, body.length]) expect(scan(body, pieceBytes), `pieces of ${pieceBytes}`).toEqual({ model: 'tiny' });
  });

  it.each([
    ['multipart/form-data; boundary="b"'],
    ['Multipart/Form-Data;BOUNDARY=b ; charset=utf-8'],
    ['multipart/form-data; x=1; boundary=b;'],
  ])('takes the content type %s', (type) => {
    expect(scan(`${part('model', 'tiny')}--b--`, 9, type)).toEqual({ model: 'tiny' });
  });

  it.each(["'()+_,-./:=?", '----WebKitFormBoundary7MA4YWxkTrZu0gW', 'x'.repeat(70)])(
    'takes the boundary %s as it is written',
    (boundary) => {
      const body = `${part('model', 'tiny')}--b--`.replaceAll('--b', `--${boundary}`);
      expect(scan(body, 11, `multipart/form-data; boundary="${boundary}"`)).toEqual({ model: 'tiny' });
    },
  );

  it.each([
    ['no form', 'application/json'],
    ['no boundary', 'multipart/form-data'],
    ['an empty boundary', 'multipart/form-data; boundary='],
    ['a boundary of 71 characters', `multipart/form-data; boundary=${'x'.repeat(71)}`],
    ['a boundary with a line break', 'multipart/form-data; boundary="b\r\n"'],
    ['a boundary that is not closed', 'multipart/form-data; boundary="b'],
    ['two boundaries', 'multipart/form-data; boundary=a; boundary=b'],
    ['an extended boundary', "multipart/form-data; boundary=a; boundary*=utf-8''b"],
    ['a charset that readers decode differently', 'multipart/form-data; boundary=b; charset=utf-16'],
  ])('refuses the content type of %s', (_, type) => {
    expect(() => new FormScanner(type, ['model'])).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });

  it.each([
    ['text in front', `preamble\r\n${part('model', 'tiny')}--b--`],
    ['another boundary', part('model', 'tiny').replace('--b', '--c')],
    ['line feeds alone', `${part('model', 'tiny')}--b--`.replaceAll('\r\n', '\n')],
    ['a boundary behind a line feed alone', `${part('file', 'a\n--b\r\nx', '; filename="a"')}--b--`],
    ['a boundary behind a carriage return alone', `${part('file', 'a\r--b\r\nx', '; filename="a"')}--b--`],
    ['a boundary right behind a head', '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n--b--'],
    ['a boundary that goes on', `${part('file', 'a\r\n--bc\r\nx', '; filename="a"')}--b--`],
    ['a boundary with spaces behind it', `${part('file', 'a')}--b \r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n--b--`],
    ['two different models', `${part('model', 'tiny')}${part('model', 'other')}--b--`],
    ['a file for a model', `${part('model', 'tiny', '; filename="a"')}--b--`],
    ['a file for a model, named in extended form', `${part('model', 'tiny', "; filename*=utf-8''a")}--b--`],
    ['an extended name', `${part('model', 'tiny', "; name*=utf-8''other")}--b--`],
    ['two names', `${part('model', 'tiny', '; name="other"')}--b--`],
    ['a backslash in a name', `${part('mod\\el', 'tiny')}--b--`],
    ['a part without a name', '--b\r\nContent-Disposition: form-data\r\n\r\ntiny\r\n--b--'],
    ['a part without a disposition', '--b\r\nContent-Type: text/plain\r\n\r\ntiny\r\n--b--'],
    ['a part without a head', '--b\r\n\r\ntiny\r\n--b--'],
    ['two dispositions', part('model', 'tiny').replace('\r\n\r\n', '\r\nContent-Disposition: form-data; name="other"\r\n\r\n')],
    ['a folded header', part('model', 'tiny').replace('; name', ';\r\n name')],
    ['a header without a colon', part('model', 'tiny').replace('\r\n\r\n', '\r\nnonsense\r\n\r\n')],
    ['a model in another charset', part('model', 'tiny').replace('\r\n\r\n', '\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n')],
    ['a model in base64', part('model', 'dGlueQ==').replace('\r\n\r\n', '\r\nContent-Transfer-Encoding: base64\r\n\r\n')],
    ['a model that is not UTF-8', `${part('model', 'caf\xe9')}--b--`],
    ['a model of 5000 bytes', `${part('model', 'x'.repeat(5000))}--b--`],
    ['a head of 9000 bytes', `--b\r\nX-Long: ${'x'.repeat(9000)}\r\n\r\n`],
    ['1001 parts', part('a', '').repeat(1001)],
  ])('refuses a form with %s', (_, body) => {
    for (const pieceBytes of [1, 64, body.length]) {
      expect(() => scan(body, pieceBytes), `pieces of ${pieceBytes}`).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    }
  });

  it.each([
    ['cut inside a part', part('model', 'tiny')],
    ['cut inside its last boundary', `${part('model', 'tiny')}--b-`],
    ['empty', ''],
  ])('says that a form %s has not ended', (_, body) => {
    expect(scannerOf(body, 3, TYPE).ended).toBe(false);
  });
});
