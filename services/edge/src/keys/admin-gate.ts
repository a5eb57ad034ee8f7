import type { Context, MiddlewareHandler } from 'hono';
import type { AdminKeySettings, Catalog } from '@berth/config';
import { errorResponse } from '../errors/error-response.ts';
import { KeyRing } from './key-ring.ts';
import { presentedKey, presentedPassword } from './presented-key.ts';

/** What a catalog with keys and without admin keys lacks; said in answers and once at start. */
export const ADMIN_CLOSED =
  'berth.yaml has keys and no adminKeys, so nobody may use /admin and the front page. Add adminKeys: [{ id: NAME, sha256: HASH }], the hash from: printf %s "$KEY" | sha256sum';

const HOW_TO_SEND = 'Send one as `Authorization: Bearer KEY` or `x-api-key: KEY`; for berth status and stop set BERTH_ADMIN_KEY.';

/** Makes a browser ask for a password. */
const CHALLENGE = 'Basic realm="Berth admin", charset="UTF-8"';
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Lets only admin keys through, as Bearer, as `x-api-key`, or as the password of HTTP Basic, so that a browser can open what stands behind it. Everybody
 * where the catalog has neither keys nor admin keys, nobody where it has keys alone. A browser sends a password along for pages of any origin, so with
 * Basic nothing is changed for a page that is not ours.
 */
export function adminGate({ keys, adminKeys }: Pick<Catalog, 'keys' | 'adminKeys'>): MiddlewareHandler {
  if (keys.length === 0 && adminKeys.length === 0) return (_, next) => next();
  if (adminKeys.length === 0) return async () => refuse('ADMIN_KEY_NEEDED', ADMIN_CLOSED);
  const ring = new KeyRing(adminKeys, ({ sha256 }) => sha256);
  return async (context, next) => refusal(context, ring) ?? next();
}

/** `null` for a request that may go on. */
function refusal(context: Context, ring: KeyRing<AdminKeySettings>): Response | null {
  const headers = { authorization: context.req.header('authorization'), 'x-api-key': context.req.header('x-api-key') };
  const key = presentedKey(headers);
  const presented = key ?? presentedPassword(headers);
  if (presented === null) return refuse('INVALID_KEY', `An admin key is needed here. ${HOW_TO_SEND}`);
  if (ring.find(presented) === null) {
    return refuse('INVALID_KEY', `The key that was sent is no admin key; those of the models are none. ${HOW_TO_SEND}`);
  }
  if (key !== null || SAFE_METHODS.has(context.req.method) || !isOfAnotherOrigin(context)) return null;
  return refuse(
    'ADMIN_KEY_NEEDED',
    'A page of another origin asked for a change, with the password that the browser keeps. Nothing was changed.',
  );
}

/** Browsers name the page's origin with every request that may change something (Fetch standard, "append a request Origin header"). */
function isOfAnotherOrigin(context: Context): boolean {
  const origin = context.req.header('origin');
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== context.req.header('host');
}

function refuse(code: 'INVALID_KEY' | 'ADMIN_KEY_NEEDED', message: string): Response {
  return errorResponse({ code, message, retryable: false }, code === 'INVALID_KEY' ? { headers: { 'www-authenticate': CHALLENGE } } : {});
}
