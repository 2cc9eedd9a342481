--[[
  Takes or renews the lease of one chunk, and the claim with it. Preceded by claim-record.lua.

  KEYS[3] the end of the upload, if it ended well
  ARGV[4] token     ARGV[5] leaseMs     ARGV[6] memory the lease is renewed from, '' when it is first asked for
  ARGV[7] index of the chunk

  Returns 'held', 'taken', 'busy', 'lost', 'finished'.
]]
local token, leaseMs, renews, field = ARGV[4], tonumber(ARGV[5]), ARGV[6], 's:' .. ARGV[7]

if renews == '' and redis.call('EXISTS', KEYS[3]) == 1 then return { 'finished' } end

local claim = readClaim()
local isClaimed = claim ~= nil and isOwn(claim)
local slot = isClaimed and readLease(field) or nil
local has = slot ~= nil and slot.token == token

if renews == memory and not has then return { 'lost' } end
if claim and not isClaimed then return taken(claim) end

local waitUntil = 0
if isClaimed then
  local merge, waiting = readLease('m'), readLease('w')
  if isAlive(merge) then
    waitUntil = merge.untilMs
  elseif isAlive(waiting) then
    waitUntil = waiting.untilMs
  elseif isAlive(slot) and not has then
    waitUntil = slot.untilMs
  end
end
if renews == '' and not has then waitUntil = math.max(waitUntil, graceUntil(claim, leaseMs)) end
if waitUntil > now then
  if isClaimed then hold(claim) end
  return busy(waitUntil)
end

claim = hold(claim)
writeLease(field, token, leaseMs)
-- A merge whose lease lapsed can't go on beside a chunk.
redis.call('HDEL', KEYS[1], 'm')
return held(claim, not isClaimed)
