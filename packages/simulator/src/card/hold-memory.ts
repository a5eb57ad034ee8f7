import { visibleGpus, attachCard } from './attach-card.ts';
import { openCardProcess } from './card-process.ts';

/** Program: `hold-memory.ts GPU_UUID MIB [NAME]` holds memory of a card until it is killed, like a foreign process. */
const [gpuUuid = '', mib = '0', name = 'foreign'] = process.argv.slice(2);
process.title = name;
const card = attachCard(process.env, 'compute');
const gpu = card && visibleGpus(card.gpus, undefined).find((candidate) => candidate.uuid === gpuUuid);
if (card === undefined || gpu === undefined) {
  process.stderr.write(`hold-memory: no simulated GPU ${gpuUuid} here\n`);
  process.exit(1);
}
const holder = openCardProcess({ ...card, name, label: 'foreign', slowReleaseMs: 0 });
const result = holder.allocate(gpu.uuid, Number(mib));
if (result.kind === 'out-of-memory') {
  process.stderr.write(`hold-memory: CUDA out of memory. Tried to allocate ${mib} MiB, ${result.freeMiB} MiB are free\n`);
  process.exit(1);
}
process.stdout.write('holding\n');
setInterval(() => undefined, 2 ** 30);
