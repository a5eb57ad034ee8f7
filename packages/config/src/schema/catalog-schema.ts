import { z } from 'zod';
import { notSupportedYet } from './fields.ts';
import { hostSchema, protocolShape } from './host-schema.ts';
import { defaultsSchema, modelsSchema } from './model-schema.ts';

/** The shape of `berth.yaml`. Rules between keys stand in `check-model.ts` and `check-host.ts`. */
export const catalogSchema = z.strictObject({
  host: hostSchema.prefault({}),
  defaults: defaultsSchema.prefault({}),
  ...protocolShape,
  models: modelsSchema,
  keys: notSupportedYet('The API is open: keep Berth on 127.0.0.1, or put a proxy that checks keys in front'),
});

export type CatalogShape = z.output<typeof catalogSchema>;
export type HostInput = CatalogShape['host'];

/** The published JSON schema of `berth.yaml`, draft 7: the one that editors read. */
export function catalogJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(catalogSchema, { io: 'input', target: 'draft-7' });
  return { $schema, title: 'berth.yaml', ...rest };
}
