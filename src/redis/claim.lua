--[[
  Holds or renews a claim. Preceded by claim-record.lua.

  ARGV[4] move: 'never', 'when-idle', 'always'     ARGV[5] idleMs
  ARGV[6] declared size, or ''                      ARGV[7] declared chunkSize, or ''
  ARGV[8] '1' when nothing of the upload is on its host

  Returns 'held' or 'taken'.
]]
local move, idleMs, size, chunkSize, isFresh = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8] == '1'

local claim = readClaim()
if claim and not isOwn(claim) then
  local isIdle = now - tonumber(claim.touchedAt) >= idleMs
  local givesWay = move == 'always' or (move == 'when-idle' and isIdle)
  if claim.person ~= person or isAlive(readLease('m')) or not givesWay then return taken(claim) end
  -- Its leases go with it.
  redis.call('DEL', KEYS[1])
  claim = nil
end

local created = claim == nil
claim = claim or { since = text(now), size = '', chunkSize = '', fresh = isFresh and memory or '' }
if size ~= '' then claim.size, claim.chunkSize = size, chunkSize end
return held(hold(claim), created)
