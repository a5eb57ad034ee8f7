import { test } from 'vitest';
import { fuzzRequests } from '../testing/request-fuzz.ts';

const SEED = 20_260_901;

test(`no random body crashes the edge or reaches a wrong model (seed ${SEED})`, async () => {
  // Bodies flow beyond 96 KiB here, so that all ways of reading one are met with small bodies.
  await fuzzRequests({ seed: SEED, runs: 400, largeBytes: 96 * 1024 });
});
