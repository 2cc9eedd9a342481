--[[
  What the scripts that tell a state begin with.

  A state is one hash: seq, phase, state (JSON). seq grows with each state and never goes back, not even when the store was emptied
  between two: it is the server's time in µs, or one more than the last. Beside it: asked ("<askedAt> <text>", the newest request for
  the merge, until it is answered), most (the bytes that RECEIVING has told), a:<process> ("<bytes> <until>", what is on its way through it).

  KEYS[1] the state of an upload     KEYS[2] its received chunks, a bitmap: bit 0 says that it is known what was there before
  ARGV[1] ttlMs     ARGV[2] channel on which "<seq> <JSON>" is told
]]
-- Lua prints large numbers with an exponent.
local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local nowUs = tonumber(time[1]) * 1000000 + tonumber(time[2])
local nowMs = math.floor(nowUs / 1000)

local function storedPhase()
  return redis.call('HGET', KEYS[1], 'phase')
end

local function tell(phase, state)
  local last = tonumber(redis.call('HGET', KEYS[1], 'seq') or 0)
  local seq = text(math.max(last + 1, nowUs))
  redis.call('HSET', KEYS[1], 'seq', seq, 'phase', phase, 'state', state)
  if phase ~= 'RECEIVING' then redis.call('HDEL', KEYS[1], 'most') end
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.call('PUBLISH', ARGV[2], seq .. ' ' .. state)
end
