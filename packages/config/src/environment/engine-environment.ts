import type { ModelSettings } from '../settings.ts';
import { looksSecret, revealed, Secret } from '../values/secret.ts';

export interface EngineEnvironment {
  /** What the engine gets. Wrapped values are revealed only where the engine is created. */
  readonly env: Readonly<Record<string, string | Secret>>;
  /** Variables of `envFrom` that the orchestrator does not have. */
  readonly missing: readonly string[];
}

/**
 * The environment of one engine: what `envFrom` names in the orchestrator's own, then `env` over it, with `{port}` filled in, or left to
 * the runtime that picks the port. `HF_TOKEN`
 * is passed on to vLLM unasked, for gated models; an `engine: openai` gets it only if `envFrom` names it.
 */
export function engineEnvironment(
  model: ModelSettings,
  { own, port }: { readonly own: Readonly<Record<string, string | undefined>>; readonly port: number | '{port}' },
): EngineEnvironment {
  const names = new Set([...(model.engine === 'vllm' && own['HF_TOKEN'] ? ['HF_TOKEN'] : []), ...model.envFrom]);
  const passedOn = [...names].flatMap((name) => {
    const value = own[name];
    return value === undefined ? [] : [[name, looksSecret(name, value) ? new Secret(value) : value] as const];
  });
  const filled = Object.entries(model.env).map(([name, value]) => [name, withPort(value, port)] as const);
  return {
    env: Object.fromEntries([...passedOn, ...filled]),
    missing: model.envFrom.filter((name) => own[name] === undefined && model.env[name] === undefined),
  };
}

function withPort(value: string | Secret, port: number | string): string | Secret {
  const text = revealed(value).replaceAll('{port}', String(port));
  return value instanceof Secret ? new Secret(text) : text;
}
