import { loadCatalog } from '@berth/config';
import { expect, test } from 'vitest';
import { announce } from './announce.ts';

const KEY = `keys: [{ id: team-a, sha256: "${'1'.repeat(64)}" }]\n`;
const ADMIN_KEY = `adminKeys: [{ id: root, sha256: "${'2'.repeat(64)}" }]\n`;

function said(text: string): string {
  const catalog = loadCatalog({ path: '/etc/berth.yaml', home: '/home/ada', text: `models: { tiny: { source: org/tiny } }\n${text}` });
  return announce({ url: 'http://127.0.0.1:8000', catalog, why: 'because' });
}

test('without keys says that the API is open, and shows calls that work', () => {
  const lines = said('');
  expect(lines).toContain(`curl http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json'`);
  expect(lines).toContain("apiKey: 'none'");
  expect(lines).toContain('The API is open to whoever reaches this address.');
});

test('with keys shows calls that take one, and says who may use what', () => {
  const lines = said(KEY + ADMIN_KEY);
  expect(lines).toContain(`curl http://127.0.0.1:8000/v1/chat/completions -H "authorization: Bearer $KEY" -H 'content-type`);
  expect(lines).toContain('apiKey: KEY');
  expect(lines).toContain('The API takes the keys of team-a; dashboard and queue with an admin key as password.');
  expect(lines).not.toContain('1111');
  expect(said(KEY)).toContain('dashboard and queue are closed: the catalog has no adminKeys.');
});
