import type { AttachedCard } from '../../card/attach-card.ts';
import type { AllocationResult, MemoryInfo } from '../../card/card-process.ts';
import type { EngineArguments } from '../arguments.ts';
import type { ModelProfile, StartPhase } from '../model-profile.ts';

/** What EngineCore needs to know; `card.gpus` are the GPUs of this engine, one per rank. Without a card it is a CPU engine. */
export interface CoreSettings {
  arguments: EngineArguments;
  profile: ModelProfile;
  card: AttachedCard | null;
  maxModelLen: number;
}

/** What is known once the engine is up. */
export interface EngineFacts {
  maxModelLen: number;
  kvCacheTokens: number;
  kvCacheBytes: number;
  blocks: number;
}

export type CoreRequest =
  | { kind: 'start'; settings: CoreSettings }
  | { kind: 'prefill'; id: number; tokens: number }
  | { kind: 'sleep'; id: number; level: number }
  | { kind: 'wake'; id: number };

export type CoreReply =
  | { kind: 'phase'; phase: StartPhase }
  | { kind: 'ready'; facts: EngineFacts }
  | { kind: 'done'; id: number }
  | { kind: 'failed'; id: number; message: string };

export type WorkerRequest =
  | { kind: 'open'; card: AttachedCard; rank: number; name: string; label: string; slowReleaseMs: number }
  | { kind: 'allocate'; id: number; mib: number }
  | { kind: 'free'; id: number; mib: number }
  | { kind: 'info'; id: number };

export type WorkerReply =
  | { kind: 'allocated'; id: number; result: AllocationResult }
  | { kind: 'freed'; id: number }
  | { kind: 'info'; id: number; info: MemoryInfo };
