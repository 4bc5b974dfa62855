"""What a Redis server does in one step for `redis_store`: making room, noting uses, forgetting.

The bookkeeping is three keys beside the values: `order`, a sorted set of entries by priority; `about`, a hash of each
entry's bytes, price and uses; `state`, a hash of the clock and of all bytes. The rule is that of `worth`. A server that
evicts by its own rules (maxmemory-policy) only makes misses: what is gone is noticed when it is stored again or pushed
out. Every value also expires a week after its last use, so what no bookkeeping knows does not stay.
"""

from __future__ import annotations

from alpha_pipeline.engine.stores.worth import USES_COUNTED

KEEP_SECONDS = 7 * 24 * 3600
WRITING_SECONDS = 10  # an entry without a header that was touched since is another writer's, at work

_COMMON = """
local order, about, state, prefix, name = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]
local function forget(entry)
  local known = redis.call('HGET', about, entry)
  if known then
    redis.call('HINCRBY', state, 'bytes', -tonumber(string.match(known, '^(%d+)')))
    redis.call('HDEL', about, entry)
  end
  redis.call('ZREM', order, entry)
  redis.call('UNLINK', prefix .. entry)
end
local clock = tonumber(redis.call('HGET', state, 'clock') or '0')
"""

ADMIT = (
    _COMMON
    + f"""
local being_written = redis.call('TTL', prefix .. name) > {KEEP_SECONDS - WRITING_SECONDS}
"""
    + """
local size, price, budget = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('HEXISTS', about, name) == 1 then
  if being_written or redis.call('HEXISTS', prefix .. name, 'head') == 1 then return 0 end
  forget(name)
end
if size > budget then return 0 end
local excess = tonumber(redis.call('HGET', state, 'bytes') or '0') + size - budget
local victims, start, pushed_out = {}, 0, clock
while excess > 0 do
  local lowest = redis.call('ZRANGE', order, start, start + 31, 'WITHSCORES')
  if #lowest == 0 then  -- bytes that nothing accounts for
    redis.call('HSET', state, 'bytes', 0)
    break
  end
  for i = 1, #lowest, 2 do
    if excess <= 0 then break end
    if tonumber(lowest[i + 1]) >= clock + price then
      redis.call('HSET', state, 'clock', string.format('%.17g', clock + price))
      return 0
    end
    local known = redis.call('HGET', about, lowest[i]) or '0'
    excess = excess - tonumber(string.match(known, '^(%d+)'))
    victims[#victims + 1] = lowest[i]
    pushed_out = math.max(pushed_out, tonumber(lowest[i + 1]))
  end
  start = start + 32
end
for _, victim in ipairs(victims) do forget(victim) end
clock = pushed_out
redis.call('HSET', state, 'clock', string.format('%.17g', clock))
redis.call('HINCRBY', state, 'bytes', size)
redis.call('HSET', about, name, string.format('%d %.17g 1', size, price))
redis.call('ZADD', order, string.format('%.17g', clock + price), name)
return 1
"""
)

FINISH = (
    _COMMON
    + f"""
if redis.call('HEXISTS', about, name) == 0 or redis.call('HLEN', prefix .. name) ~= tonumber(ARGV[4]) then
  redis.call('UNLINK', prefix .. name)  -- pushed out while it was written
  return 0
end
redis.call('HSET', prefix .. name, 'head', ARGV[3])
redis.call('EXPIRE', prefix .. name, {KEEP_SECONDS})
return 1
"""
)

USED = (
    _COMMON
    + f"""
local known = redis.call('HGET', about, name)
if known then
  local size, price, uses = string.match(known, '^(%d+) (%S+) (%d+)$')
  uses = math.min(tonumber(uses) + 1, {USES_COUNTED})
  redis.call('HSET', about, name, size .. ' ' .. price .. ' ' .. uses)
  redis.call('ZADD', order, string.format('%.17g', clock + uses * tonumber(price)), name)
  redis.call('EXPIRE', prefix .. name, {KEEP_SECONDS})
end
return 1
"""
)

FORGET = _COMMON + "forget(name)\nreturn 1\n"
