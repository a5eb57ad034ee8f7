declare const brand: unique symbol;

/** A string that cannot pass for another kind of id. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Name of a catalog entry. */
export type ModelName = Branded<'ModelName'>;
/** GPU by the driver's UUID (`GPU-…`); an index is for humans only. */
export type GpuUuid = Branded<'GpuUuid'>;
/** One start of one model: decimal text of epoch ms by Redis `TIME`, so it grows and never repeats, not even after Redis lost its data. */
export type Generation = Branded<'Generation'>;
/** Hash of all that changes a model's footprint. */
export type LaunchSignature = Branded<'LaunchSignature'>;
/** One process of the edge. */
export type EdgeReplicaId = Branded<'EdgeReplicaId'>;
/** One installation of Berth; every container carries it as a label. */
export type InstallationId = Branded<'InstallationId'>;
/** What a runtime calls an engine it runs: a container id, or a process record's name. */
export type EngineHandle = Branded<'EngineHandle'>;

/** Gives plain text the brand that its position calls for. Use it at borders only: parsing, tests. */
export function asId<Id extends Branded<string>>(text: string): Id {
  return text as Id;
}
