import { describe, expect, it, test } from 'vitest';
import { presentedKey, presentedPassword } from './presented-key.ts';

describe('presentedKey', () => {
  it.each([
    [{ authorization: 'Bearer sk-1' }, 'sk-1'],
    [{ authorization: 'bearer sk-1' }, 'sk-1'],
    [{ authorization: 'BEARER   sk-1' }, 'sk-1'],
    [{ authorization: 'Bearer voil\u00c3\u00a0' }, 'voil\u00c3\u00a0'],
    [{ 'x-api-key': 'sk-2' }, 'sk-2'],
    [{ authorization: 'Bearer sk-1', 'x-api-key': 'sk-2' }, 'sk-1'],
    [{ authorization: 'Bearer ', 'x-api-key': 'sk-2' }, 'sk-2'],
    [{ authorization: 'Basic dTpw', 'x-api-key': 'sk-2' }, 'sk-2'],
    [{}, null],
    [{ authorization: '' }, null],
    [{ authorization: 'Bearer' }, null],
    [{ authorization: 'Bearersk-1' }, null],
    [{ authorization: 'sk-1' }, null],
    [{ authorization: 'Basic dTpw' }, null],
    [{ 'x-api-key': '' }, null],
    [{ 'x-api-key': ['sk-1', 'sk-2'] }, null],
  ])('of %o is %s', (headers, key) => {
    expect(presentedKey(headers)).toBe(key);
  });
});

test.each([
  [{ authorization: `Basic ${Buffer.from('anybody:pass:word').toString('base64')}` }, 'pass:word'],
  [{ authorization: `basic ${Buffer.from(':secret').toString('base64')}` }, 'secret'],
  [{ authorization: `Basic ${Buffer.from('user:').toString('base64')}` }, null],
  [{ authorization: `Basic ${Buffer.from('nocolon').toString('base64')}` }, null],
  [{ authorization: 'Basic %%%' }, null],
  [{ authorization: 'Bearer sk-1' }, null],
  [{}, null],
])('the password of %o is %s', (headers, password) => {
  expect(presentedPassword(headers)).toBe(password);
});
