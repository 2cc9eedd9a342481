--[[
  Notes a chunk as received. Where no state or a failure is stored, tells RECEIVING; else that is for arriving.lua. Preceded by
  progress-record.lua, receiving-record.lua.

  ARGV[10] index of the chunk
  Returns {count, bytes} of all that is there, or nil while it isn't known what was there before.
]]
if not isKnown() then return false end
redis.call('SETBIT', KEYS[2], ARGV[10], 1)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
local count, bytes = counted()
local phase = storedPhase()
if not phase or phase == 'FAILED' then
  noteArriving()
  tellReceiving(bytes)
elseif phase == 'RECEIVING' then
  noteArriving()
end
return { text(count), text(bytes) }
