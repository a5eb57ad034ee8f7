import { loadCatalog, type Catalog, type ModelSettings } from '@berth/config';

/** A checked catalog from its data. */
export function catalogOf(data: Readonly<Record<string, unknown>>): Catalog {
  return loadCatalog({ path: '/catalogs/berth.yaml', home: '/home/user', text: JSON.stringify(data) });
}

/** The only model of a catalog. */
export function onlyModel(catalog: Catalog): ModelSettings {
  const [model] = catalog.models;
  if (model === undefined) throw new TypeError('a catalog has at least one model');
  return model;
}
