--[[
  Stores a state as the latest and tells it, in one step. Preceded by progress-record.lua.

  ARGV[3] phase     ARGV[4] the state, JSON     ARGV[5] '1' when the phase is terminal
  Returns 1, or 0 when the end that is stored stays: who tells had not noticed.
]]
local phase, state, isTerminal = ARGV[3], ARGV[4], ARGV[5] == '1'

local stored = redis.call('HGET', KEYS[1], 'phase')
if stored == 'DONE' and phase ~= 'DONE' then return 0 end
if stored == 'ABORTED' and phase ~= 'ABORTED' and phase ~= 'DONE' then return 0 end
tell(phase, state)
if isTerminal then redis.call('DEL', KEYS[2]) end
return 1
