import { setTimeout as sleep } from 'node:timers/promises';
import { attachCard } from '../card/attach-card.ts';
import { readFaults } from '../card/state-directory.ts';
import { answerSmi } from './answer.ts';
import { parseSmiArguments } from './arguments.ts';
import { driverNotLoaded, libraryMismatch, libraryMissing } from './failures.ts';
import type { SmiAnswer } from './failures.ts';

/** Program: the simulated nvidia-smi. Same flags, CSV, texts and exit codes as the real one, read from the simulated cards. */
const answer = await run();
process.stdout.write(answer.stdout);
process.exitCode = answer.exitCode;

async function run(): Promise<SmiAnswer> {
  const card = attachCard(process.env, 'utility');
  if (card === undefined) return driverNotLoaded;
  const faults = readFaults(card.stateDirectory);
  if (faults.hangMs !== undefined) await sleep(faults.hangMs);
  if (faults.libraryMissing === true) return libraryMissing;
  if (faults.driverNotLoaded === true) return driverNotLoaded;
  if (faults.libraryMismatch === true) return libraryMismatch;
  const request = parseSmiArguments(process.argv.slice(2));
  return 'exitCode' in request ? request : answerSmi(request, card, faults);
}
