import { describe, expect, it } from 'vitest';
import { canonicalPath, queryOf } from './request-path.ts';

describe('canonicalPath', () => {
  it.each([
    ['/v1/models', '/v1/models'],
    ['/v1/chat/completions?a=b/../c', '/v1/chat/completions'],
    ['/v1/models/org%2Fmodel', '/v1/models/org%2Fmodel'],
    ['/v1/models/org/model-1.2', '/v1/models/org/model-1.2'],
    ['/admin/v1/models/org%2Fmodel/stop', '/admin/v1/models/org%2Fmodel/stop'],
    ['/', '/'],
  ])('takes %s as %s', (target, path) => {
    expect(canonicalPath(target)).toBe(path);
  });

  it.each([
    '//v1/models',
    '/v1//models',
    '/v1/../sleep',
    '/v1/./models',
    '/v1/..',
    '/v1%2fmodels',
    '/v1/chat%2Fcompletions',
    '/%2e%2e/sleep',
    '/v1\\models',
    '/v1/%5csleep',
    'http://other/v1/models',
    '*',
    '',
    '/v1/models\u0000',
    '/v1/models#',
    '/v1/models?a#b',
    '/v1/modéls',
    '/v1/mod els',
    '/v1/models\u007f',
  ])('finds nothing at %j', (target) => {
    expect(canonicalPath(target)).toBeNull();
  });
});

describe('queryOf', () => {
  it('gives the query with its question mark, or nothing', () => {
    expect(queryOf('/a?b=c?d')).toBe('?b=c?d');
    expect(queryOf('/a')).toBe('');
  });
});
