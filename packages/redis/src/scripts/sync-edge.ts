import type { EdgeReplicaId, Generation, ModelName, PlacementRight } from '@berth/core';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: replaces an edge replica's record by what it reports now, grants leases on ready endpoints, admits waiters within the limits
--   over all replicas, all or nothing. A report that is older than the one on record changes nothing. No lease is granted or renewed on an
--   endpoint that is stopping; one that drains keeps its lease until the replica says that it blocks new requests and has none in flight.
-- Keys: 1 the replica's record, 2 edges, 3 last used, 4 term
-- Arguments: 1 prefix of endpoints, 2 prefix of generations by model, 3 prefix of edge records, 4 replica id, 5 report as JSON:
--   nonce, seq, ttlMs, perModel and total (limits of waiters, -1: none),
--   leases [generation, in flight, blocked and closed 0|1, idle ms or -1], wanted [model],
--   waiters [right, model, count, oldest age ms, latest time left ms], joins [right, model, age ms, time left ms]
-- Answer: 'stale', or 'ok', now, registry id, then one list each for leases, wanted and joins
${LUA_NOW}
local report = cjson.decode(ARGV[5])
local before = redis.call('HMGET', KEYS[1], 'nonce', 'seq')
if before[1] == report.nonce and report.seq <= tonumber(before[2]) then return {'stale'} end

local record = {}
local leases = {}
for i, row in ipairs(report.leases) do
  local generation, inFlight, released, idle = row[1], row[2], row[3], row[4]
  local state = redis.call('HGET', ARGV[1] .. generation, 'state')
  local answer
  if not state then answer = 'missing'
  elseif state == 'starting' then answer = 'unknown'
  elseif state == 'ready' then answer = 'ok'
  elseif state ~= 'draining' then answer = 'gone'
  elseif released == 1 and inFlight == 0 then answer = 'released'
  else answer = 'drain' end
  if answer ~= 'gone' and answer ~= 'released' then record['l:' .. generation] = inFlight end
  if idle >= 0 and state then redis.call('ZADD', KEYS[3], 'GT', now - idle, generation) end
  leases[i] = answer
end

local wanted = {}
for i, model in ipairs(report.wanted) do
  local newest = 'none'
  local answer
  for _, generation in ipairs(redis.call('ZREVRANGE', ARGV[2] .. model, 0, -1)) do
    local state = redis.call('HGET', ARGV[1] .. generation, 'state')
    if state == 'ready' then
      if not record['l:' .. generation] then record['l:' .. generation] = 0 end
      redis.call('ZADD', KEYS[3], 'GT', now, generation)
      answer = {'ready', redis.call('HGET', ARGV[1] .. generation, 'record')}
      break
    end
    if state and newest == 'none' then newest = state end
  end
  wanted[i] = answer or {'not-ready', newest}
end

local waiters = {}
local byModel = {}
local total = 0
local function add(right, model, count, oldestAt, latestAt)
  local field = 'w:' .. right .. ':' .. model
  local entry = waiters[field]
  if entry then
    waiters[field] = {entry[1] + count, math.min(entry[2], oldestAt), math.max(entry[3], latestAt)}
  else
    waiters[field] = {count, oldestAt, latestAt}
  end
  byModel[model] = (byModel[model] or 0) + count
  total = total + count
end
for _, row in ipairs(report.waiters) do
  local oldestAt = now - row[4]
  -- Ages travel, so a slow call makes them a little younger: the arrival on record stands, or the order of placements would flicker.
  local known = redis.call('HGET', KEYS[1], 'w:' .. row[1] .. ':' .. row[2])
  if known then
    local knownAt = tonumber(string.match(known, '^%d+|(%d+)|'))
    if knownAt and math.abs(knownAt - oldestAt) <= 1000 then oldestAt = knownAt end
  end
  add(row[1], row[2], row[3], oldestAt, now + row[5])
end
local joins = {}
if #report.joins > 0 then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if other ~= ARGV[4] then
      local fields = redis.call('HGETALL', ARGV[3] .. other)
      for i = 1, #fields, 2 do
        local model = string.match(fields[i], '^w:%a+:(.+)$')
        if model then
          local count = tonumber(string.match(fields[i + 1], '^%d+'))
          byModel[model] = (byModel[model] or 0) + count
          total = total + count
        end
      end
    end
  end
  for i, row in ipairs(report.joins) do
    if report.perModel >= 0 and (byModel[row[2]] or 0) >= report.perModel then joins[i] = 'model-full'
    elseif report.total >= 0 and total >= report.total then joins[i] = 'full'
    else
      add(row[1], row[2], 1, now - row[3], now + row[4])
      joins[i] = 'joined'
    end
  end
end

local flat = {'nonce', report.nonce, 'seq', report.seq, 'syncedAt', now}
for field, value in pairs(record) do flat[#flat + 1] = field; flat[#flat + 1] = value end
for field, value in pairs(waiters) do
  flat[#flat + 1] = field
  flat[#flat + 1] = string.format('%.0f|%.0f|%.0f', value[1], value[2], value[3])
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(flat))
redis.call('PEXPIRE', KEYS[1], report.ttlMs)
redis.call('ZADD', KEYS[2], now, ARGV[4])
return {'ok', now, redis.call('HGET', KEYS[4], 'registry') or '', leases, wanted, joins}
`);

/** What an edge replica reports of itself. Durations only: its clock never meets Redis' clock. */
export interface EdgeReport {
  readonly nonce: string;
  readonly seq: number;
  readonly ttlMs: number;
  /** Limits of waiters over all replicas; -1: none. */
  readonly perModel: number;
  readonly total: number;
  readonly leases: readonly (readonly [generation: Generation, inFlight: number, released: 0 | 1, idleMs: number])[];
  readonly wanted: readonly ModelName[];
  readonly waiters: readonly (readonly [
    right: PlacementRight,
    model: ModelName,
    count: number,
    oldestAgeMs: number,
    latestLeftMs: number,
  ])[];
  readonly joins: readonly (readonly [right: PlacementRight, model: ModelName, ageMs: number, leftMs: number])[];
}

const answerSchema = z.union([
  z.tuple([z.literal('stale')]).transform(() => null),
  z
    .tuple([
      z.literal('ok'),
      z.number(),
      z.string(),
      z.array(z.enum(['ok', 'drain', 'released', 'gone', 'missing', 'unknown'])),
      z.array(
        z.union([
          z.tuple([z.literal('ready'), z.string()]),
          z.tuple([z.literal('not-ready'), z.enum(['starting', 'draining', 'stopping', 'none'])]),
        ]),
      ),
      z.array(z.enum(['joined', 'model-full', 'full'])),
    ])
    .transform(([, nowMs, registryId, leases, wanted, joins]) => ({ nowMs, registryId, leases, wanted, joins })),
]);

/** One answer per row of the report, in its order. */
export type SyncAnswer = NonNullable<z.infer<typeof answerSchema>>;

/** Sends a report. `null`: a newer one is on record already. */
export async function syncEdge(connection: Redis, keys: Keys, id: EdgeReplicaId, report: EdgeReport): Promise<SyncAnswer | null> {
  const answer = await script(
    connection,
    [keys.edge(id), keys.edges, keys.lastUsed, keys.term],
    [keys.endpointPrefix, keys.generationsPrefix, keys.edgePrefix, id, JSON.stringify(report)],
  );
  return answerSchema.parse(answer);
}
