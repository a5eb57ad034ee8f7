import { z } from 'zod';

/**
 * Requests that a model of random weights answers as well as any other: the grammar leaves it no other end than the right one. The seed makes a real engine
 * repeat itself.
 */
export const MESSAGES = [{ role: 'user' as const, content: 'Which port is free?' }];
export const SEED = 1;
/** Room for the white space that a random model puts into its JSON. */
export const JSON_TOKENS = 800;

export const PORTS = ['Kiel', 'Bremen'] as const;
export const Berthing = z.object({ port: z.enum(PORTS), free: z.boolean() });
export const BERTHING_SCHEMA = {
  type: 'object',
  properties: { port: { type: 'string', enum: PORTS }, free: { type: 'boolean' } },
  required: ['port', 'free'],
  additionalProperties: false,
};

export const WEATHER = { name: 'get_weather', description: 'The weather at a port.' };
export const WEATHER_SCHEMA = {
  type: 'object' as const,
  properties: { port: { type: 'string', enum: PORTS } },
  required: ['port'],
  additionalProperties: false,
};

export const Weather = z.strictObject({ port: z.enum(PORTS) });

/** The arguments of a call of `WEATHER`. Throws for any others. */
export function parseWeather(text: string | undefined): { readonly port: string } {
  return Weather.parse(JSON.parse(text ?? ''));
}
