export { startOrchestrator, type Orchestrator } from './orchestrator.ts';
export { readOrchestratorSettings, type OrchestratorSettings } from './settings.ts';
export { stopEngines } from './stop-engines.ts';
