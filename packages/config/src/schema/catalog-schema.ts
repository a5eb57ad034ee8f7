import { z } from 'zod';
import { hostSchema, protocolShape } from './host-schema.ts';
import { keysShape } from './key-schema.ts';
import { defaultsSchema, modelsSchema } from './model-schema.ts';

/** The shape of `berth.yaml`. Rules between keys stand in `check-catalog.ts`, `check-model.ts` and `check-keys.ts`. */
export const catalogSchema = z.strictObject({
  host: hostSchema.prefault({}),
  defaults: defaultsSchema.prefault({}),
  ...protocolShape,
  models: modelsSchema,
  ...keysShape,
});

export type CatalogShape = z.output<typeof catalogSchema>;
export type HostInput = CatalogShape['host'];

/** The published JSON schema of `berth.yaml`, draft 7: the one that editors read. */
export function catalogJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(catalogSchema, { io: 'input', target: 'draft-7' });
  return { $schema, title: 'berth.yaml', ...rest };
}
