--[[
  Tells QUEUED unless a merge is under way, or the upload has ended well or was given up, and keeps the request for it. Preceded by
  progress-record.lua.

  ARGV[3] the state QUEUED, JSON     ARGV[4] "<askedAt> <text>" of the request, or ''
  Returns the state that is stored then.
]]
local stored = storedPhase()
if stored == 'DONE' or stored == 'ABORTED' then return redis.call('HGET', KEYS[1], 'state') end
if not stored or stored == 'RECEIVING' or stored == 'FAILED' then tell('QUEUED', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'asked', ARGV[4]) end
return redis.call('HGET', KEYS[1], 'state')
