export { formatProblems, loadCatalog } from './catalog/load-catalog.ts';
export type { CatalogSource } from './catalog/load-catalog.ts';
export { launchInputs, launchSignature } from './catalog/launch-signature.ts';
export { resolveCatalogPath } from './catalog/resolve-catalog-path.ts';
export { catalogJsonSchema } from './schema/catalog-schema.ts';
export { findModel } from './settings.ts';
export type {
  AdminKeySettings,
  Catalog,
  CatalogProblem,
  EngineKind,
  HostSettings,
  KeySettings,
  ModelSettings,
  ModelSource,
  ProtocolSettings,
  RuntimeKind,
  SimulatedGpu,
} from './settings.ts';
export { formatDuration, parseDuration } from './values/parse-duration.ts';
export { formatMemory, mebibytesDown, mebibytesUp, parseMemory } from './values/parse-memory.ts';
export { looksSecret, revealed, Secret } from './values/secret.ts';
export { engineEnvironment } from './environment/engine-environment.ts';
export type { EngineEnvironment } from './environment/engine-environment.ts';
export { environmentFields } from './environment/environment-fields.ts';
export type { Reach } from './environment/environment-fields.ts';
export { parseEnvironment } from './environment/parse-environment.ts';
