import type { PlacementStatus, StepOutcome } from '@berth/core';
import { isOperationalError } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { dropClaim, giveUp } from './give-up.ts';

const PULLING_MS = 1_000;

/**
 * Has the image of a model pulled that is not on this machine; `null` when it is. Nothing is claimed meanwhile: without the image's id it is
 * not known what the model needs.
 */
export async function pullMissing(context: TermContext, settings: ModelSettings, observed: Observed): Promise<StepOutcome | null> {
  try {
    if ((await context.images.resolve(settings)) !== null || settings.image === null) return null;
  } catch (error) {
    if (!isOperationalError(error, 'IMAGE_MISSING')) throw error;
    return giveUp(context, observed, settings.name, error.toShape());
  }
  const pull = context.pulls.ensure(settings.image, settings.pullTimeoutMs);
  if (pull.kind === 'failed') return giveUp(context, observed, settings.name, { ...pull.failure, retryAfterMs: PULLING_MS });
  await dropClaim(context, observed, settings.name);
  const status: PlacementStatus = {
    model: settings.name,
    stage: 'pulling',
    reasons: [],
    updatedAtMs: observed.state.nowMs,
    detail: `pulling ${settings.image}: ${pull.progress.message}`,
    progress: null,
    phaseProgress: pull.progress.fraction,
    etaMs: null,
  };
  await context.registry.putPlacementStatus(context.term, status);
  return { kind: 'later', delayMs: PULLING_MS };
}
