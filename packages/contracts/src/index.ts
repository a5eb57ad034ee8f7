export { jobFailure, placeJobData, placeJobResult } from './jobs/placement-job.ts';
export { endpointRecord } from './records/endpoint-record.ts';
export { footprintRecord, footprintsFileRecord, installationFileRecord } from './records/footprint-record.ts';
export { hostViewRecord } from './records/host-view-record.ts';
export { claimRecord, placementStatusRecord, quarantineRecord, stopRequestRecord, wishRecord } from './records/placement-records.ts';
export { defineRecord } from './records/versioned.ts';
export type { RecordCodec } from './records/versioned.ts';
export * from './http/index.ts';
