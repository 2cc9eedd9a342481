--[[
  What every script on the ledger begins with.

  A book is a hash, upload → "<until> <bytes> <staged> <space>", with the fields bytes and claims for what its lines come to; and a
  sorted set, upload by the time its line lapses. There is one book for each person, whose lines name the key of the upload's space
  ('' where there is none), and one for each space, whose bytes are those still needed there. All times are this server's clock, epoch ms.

  KEYS[1] the person's book     ARGV[1] upload     ARGV[2] what the keys of spaces begin with
]]
local upload, spacePrefix = ARGV[1], ARGV[2]

-- Lua prints large numbers with an exponent.
local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function lapses(book)
  return book .. ':until'
end

local function read(book, id)
  local untilMs, bytes, staged, space = string.match(redis.call('HGET', book, id) or '', '^(%d+) (%d+) ([01]) (.*)$')
  return untilMs and { untilMs = tonumber(untilMs), bytes = tonumber(bytes), staged = staged, space = space } or nil
end

local function strike(book, id)
  local line = read(book, id)
  if not line then return end
  redis.call('HDEL', book, id)
  redis.call('ZREM', lapses(book), id)
  -- Not the negative: that of zero is printed as "-0", which HINCRBY refuses.
  redis.call('HINCRBY', book, 'bytes', text(0 - line.bytes))
  if line.staged == '0' then redis.call('HINCRBY', book, 'claims', -1) end
end

local function strikeLapsed(book)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', lapses(book), '-inf', text(now))) do strike(book, id) end
end

-- A book goes when its last line lapses.
local function write(book, id, line)
  strike(book, id)
  redis.call('HSET', book, id, text(line.untilMs) .. ' ' .. text(line.bytes) .. ' ' .. line.staged .. ' ' .. line.space)
  redis.call('ZADD', lapses(book), text(line.untilMs), id)
  redis.call('HINCRBY', book, 'bytes', text(line.bytes))
  if line.staged == '0' then redis.call('HINCRBY', book, 'claims', 1) end
  local last = redis.call('ZREVRANGE', lapses(book), 0, 0, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', book, last)
  redis.call('PEXPIREAT', lapses(book), last)
end

local function total(book, field)
  return tonumber(redis.call('HGET', book, field) or '0')
end
