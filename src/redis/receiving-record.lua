--[[
  What the scripts that count arriving chunks begin with. Preceded by progress-record.lua.

  ARGV[3] the process that calls     ARGV[4] bytes that are on their way through it     ARGV[5] for how long they count, ms
  ARGV[6] size     ARGV[7] chunkSize     ARGV[8] chunkCount     ARGV[9] bytes of the last chunk
]]
local size, chunkSize, chunkCount, lastBytes = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])

local function isKnown()
  return redis.call('GETBIT', KEYS[2], 0) == 1
end

-- How many chunks, and bytes, are on the host.
local function counted()
  local count = redis.call('BITCOUNT', KEYS[2]) - 1
  local hasLast = redis.call('GETBIT', KEYS[2], chunkCount)
  return count, (count - hasLast) * chunkSize + hasLast * lastBytes
end

local function noteArriving()
  local field = 'a:' .. ARGV[3]
  if ARGV[4] == '0' then return redis.call('HDEL', KEYS[1], field) end
  redis.call('HSET', KEYS[1], field, ARGV[4] .. ' ' .. text(nowMs + tonumber(ARGV[5])))
end

local function arrivingBytes()
  local sum = 0
  local hash = redis.call('HGETALL', KEYS[1])
  for at = 1, #hash, 2 do
    if string.sub(hash[at], 1, 2) == 'a:' then
      local bytes, untilMs = string.match(hash[at + 1], '^(%d+) (%d+)$')
      if tonumber(untilMs) > nowMs then
        sum = sum + tonumber(bytes)
      else
        redis.call('HDEL', KEYS[1], hash[at])
      end
    end
  end
  return sum
end

local function tellReceiving(storedBytes)
  local most = tonumber(redis.call('HGET', KEYS[1], 'most') or 0)
  local bytes = math.max(most, math.min(storedBytes + arrivingBytes(), size))
  local percent = size > 0 and math.min(100, bytes / size * 100) or 100
  local state = '{"phase":"RECEIVING","doneBytes":%s,"totalBytes":%s,"percent":%s,"proved":false,"updatedAt":%s}'
  redis.call('HSET', KEYS[1], 'most', text(bytes))
  tell('RECEIVING', string.format(state, text(bytes), text(size), string.format('%.17g', percent), text(nowMs)))
end
