--[[
  Notes what is on its way through a process and tells RECEIVING, unless it isn't known what is on the host, or another state is stored.
  Preceded by progress-record.lua, receiving-record.lua.

  Returns 1 when it was told, else 0.
]]
local phase = storedPhase()
if not isKnown() or (phase and phase ~= 'RECEIVING') then return 0 end
noteArriving()
local _, bytes = counted()
tellReceiving(bytes)
return 1
