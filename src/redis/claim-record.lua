--[[
  What every script on claims begins with.

  A claim is one hash: person, upload, since, touchedAt, until, size and chunkSize (as declared), fresh (the memory in which the claim
  was made when nothing of the upload was on its host), and the leases under it: m (the merge), w (a merge that waits), s:<index> (a
  chunk). A lease is "<until> <token>". The hash expires when the claim ends. All times are this server's clock, epoch ms.

  The store's memory is "<began> <run>": the time at which it began, and the run of the server in which it did; it lapses 30 days after it
  was last used. A server that was started again, or another in its place, may have kept less than all leases, so that begins a new memory.

  KEYS[1] the claim of a target     KEYS[2] the memory
  ARGV[1] person     ARGV[2] upload     ARGV[3] ttlMs

  Returns one of
    {'held', created, memory, claim…}   created: '1' when nobody held it before
    {'taken', merging, memory, claim…}   by another person or upload; merging: '1' while it is being merged
    {'busy', retryAfterMs}
    {'lost'}
    {'finished'}   the upload has ended well
  where claim… is person, upload, since, touchedAt, until, size, chunkSize, the last two '' when not declared.
]]
local FIELDS = { 'person', 'upload', 'since', 'touchedAt', 'until', 'size', 'chunkSize', 'fresh' }

local person, upload, ttlMs = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- Lua prints large numbers with an exponent.
local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- '' where INFO is forbidden: a store that comes back with old data is then not told from one that kept all.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''

local memory = redis.call('GET', KEYS[2])
local began, knownRun = string.match(memory or '', '^(%d+) (%x*)$')
if knownRun ~= run then
  began = text(now)
  memory = began .. ' ' .. run
  redis.call('SET', KEYS[2], memory)
end
redis.call('PEXPIRE', KEYS[2], 30 * 24 * 60 * 60 * 1000)

local function readClaim()
  local values = redis.call('HMGET', KEYS[1], unpack(FIELDS))
  if not values[1] then return nil end
  local claim = {}
  for at, field in ipairs(FIELDS) do claim[field] = values[at] or '' end
  return claim
end

local function isOwn(claim)
  return claim.person == person and claim.upload == upload
end

local function parseLease(value)
  local untilMs, token = string.match(value or '', '^(%d+) (.*)$')
  return untilMs and { untilMs = tonumber(untilMs), token = token } or nil
end

local function readLease(field)
  return parseLease(redis.call('HGET', KEYS[1], field))
end

local function isAlive(lease)
  return lease ~= nil and lease.untilMs > now
end

local function writeLease(field, token, leaseMs)
  redis.call('HSET', KEYS[1], field, text(now + leaseMs) .. ' ' .. token)
end

-- Makes the claim, or renews what the caller holds.
local function hold(claim)
  claim = claim or { since = text(now), size = '', chunkSize = '', fresh = '' }
  claim.person, claim.upload = person, upload
  claim.touchedAt, claim['until'] = text(now), text(now + ttlMs)
  local written = {}
  for _, field in ipairs(FIELDS) do
    written[#written + 1] = field
    written[#written + 1] = claim[field]
  end
  redis.call('HSET', KEYS[1], unpack(written))
  redis.call('PEXPIREAT', KEYS[1], claim['until'])
  return claim
end

local function answer(first, second, third, claim)
  local reply = { first, second, third }
  for at = 1, 7 do reply[#reply + 1] = claim[FIELDS[at]] end
  return reply
end

local function held(claim, created)
  return answer('held', created and '1' or '', memory, claim)
end

local function taken(claim)
  return answer('taken', isAlive(readLease('m')) and '1' or '', memory, claim)
end

local function busy(untilMs)
  return { 'busy', text(untilMs - now) }
end

-- Until when a holder from before this memory may be at work that it doesn't know of.
local function graceUntil(claim, leaseMs)
  if claim and claim.fresh == memory then return 0 end
  return tonumber(began) + leaseMs
end
