import { parseArgs } from 'node:util';
import { fuzzRequests } from '../../services/edge/src/testing/request-fuzz.ts';

/**
 * Sends random bodies through an edge to two models, and looks whether one reaches the wrong one, changes, or breaks the edge:
 * `node test/soak/request-fuzz.ts [--seconds 300] [--seed N] [--large KIB]`. A failure prints its seed, its path and the smallest example.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    /** Bodies beyond this size flow; berth.yaml says 1 MiB unless told otherwise. */
    large: { type: 'string', default: '1024' },
  },
});

const RUNS_PER_ROUND = 500;

const endAtMs = performance.now() + Number(values.seconds) * 1000;
let seed = Number(values.seed);
for (let runs = 0; performance.now() < endAtMs; seed += 1) {
  await fuzzRequests({ seed, runs: RUNS_PER_ROUND, largeBytes: Number(values.large) * 1024 });
  runs += RUNS_PER_ROUND;
  console.log(`seed ${seed}: ${runs} requests so far, none to a wrong model`);
}
