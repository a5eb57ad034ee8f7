/** Writes the published JSON schema of berth.yaml from the zod schema. Run it after each change of the schema: a test compares the two. */
import { writeFileSync } from 'node:fs';
import { catalogJsonSchema } from '../src/index.ts';

const file = new URL('../schema/berth.schema.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(catalogJsonSchema(), null, 2)}\n`);
