import { describe, expect, it } from 'vitest';
import { isFinalRegistryAnswer, readStartObstacle } from './docker-texts.ts';

describe('readStartObstacle', () => {
  it.each([
    ['could not select device driver "nvidia" with capabilities: [[gpu compute utility]]', 'no-gpu-driver'],
    ['could not select device driver "cdi" with capabilities: []', 'no-gpu-driver'],
    ['failed to discover GPU vendor from CDI: no known GPU vendor found', 'no-gpu-driver'],
    ['Address already in use', 'address-taken'],
    ['user specified IP address is supported only when connecting to networks with user configured subnets', 'address-not-allowed'],
    [
      'driver failed programming external connectivity on endpoint x (1f): Error starting userland proxy: listen tcp4 127.0.0.1:23535: bind: address already in use',
      'port-taken',
    ],
    [
      'driver failed programming external connectivity on endpoint x (1f): Bind for 127.0.0.1:23535 failed: port is already allocated',
      'port-taken',
    ],
    ['OCI runtime create failed: runc create failed: unable to start container process', null],
  ])('reads %j', (text, obstacle) => {
    expect(readStartObstacle(text)).toBe(obstacle);
  });
});

describe('isFinalRegistryAnswer', () => {
  it.each([
    ['manifest for 127.0.0.1:5000/test/image:2 not found: manifest unknown: manifest unknown', true],
    [
      "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
      true,
    ],
    ['no matching manifest for linux/arm64/v8 in the manifest list entries', true],
    ['Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: i/o timeout', false],
    ['Get "http://localhost:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', false],
    ['toomanyrequests: You have reached your pull rate limit.', false],
  ])('says of %j: %s', (text, final) => {
    expect(isFinalRegistryAnswer(text)).toBe(final);
  });
});
