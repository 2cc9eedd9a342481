--[[
  Takes or renews the merge lease, and the claim with it. Preceded by claim-record.lua.

  ARGV[4] token     ARGV[5] leaseMs     ARGV[6] memory the lease is renewed from, '' when it is first asked for
  ARGV[7] 'wait' for the leases of others, or 'seize' theirs

  Returns 'held', 'taken', 'busy', 'lost'.
]]
local token, leaseMs, renews, isSeizing = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7] == 'seize'

local claim = readClaim()
local isClaimed = claim ~= nil and isOwn(claim)
local merge = isClaimed and readLease('m') or nil
local has = merge ~= nil and merge.token == token

if renews == memory and not has then return { 'lost' } end
if claim and not isClaimed then return taken(claim) end

local waitUntil = 0
if isAlive(merge) and not has then waitUntil = merge.untilMs end
if isClaimed then
  local hash = redis.call('HGETALL', KEYS[1])
  for at = 1, #hash, 2 do
    local slot = string.sub(hash[at], 1, 2) == 's:' and parseLease(hash[at + 1]) or nil
    if slot and isAlive(slot) and not isSeizing then
      waitUntil = math.max(waitUntil, slot.untilMs)
    elseif slot then
      -- Lapsed, or seized: whoever had it finds it lost.
      redis.call('HDEL', KEYS[1], hash[at])
    end
  end
end
if renews == '' and not has then waitUntil = math.max(waitUntil, graceUntil(claim, leaseMs)) end
if waitUntil > now and not isSeizing then
  if isClaimed then
    hold(claim)
    writeLease('w', token, leaseMs)
  end
  return busy(waitUntil)
end

claim = hold(claim)
writeLease('m', token, leaseMs)
redis.call('HDEL', KEYS[1], 'w')
return held(claim, not isClaimed)
