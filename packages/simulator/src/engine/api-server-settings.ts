import type { AttachedCard } from '../card/attach-card.ts';
import type { EngineArguments } from './arguments.ts';
import type { ModelProfile } from './model-profile.ts';

/** What the command line, the environment and the model's profile come to. */
export interface ApiServerSettings {
  arguments: EngineArguments;
  profile: ModelProfile;
  card: AttachedCard | null;
  devMode: boolean;
  storesResponses: boolean;
  keepAliveMs: number;
  allowLongContext: boolean;
}
