--[[
  Stores a state as the latest and tells it, in one step. Preceded by progress-record.lua.

  ARGV[3] phase     ARGV[4] the state, JSON     ARGV[5] '1' when the phase is terminal
  ARGV[6] askedAt of the request that this state is about, or ''     ARGV[7] '1': only where no state is stored
  Returns 1, or 0 when what is stored stays: who tells had not noticed.
]]
local phase, state, isTerminal, answers, isFirst = ARGV[3], ARGV[4], ARGV[5] == '1', ARGV[6], ARGV[7] == '1'

local stored = storedPhase()
if stored and isFirst then return 0 end
if stored == 'DONE' and phase ~= 'DONE' then return 0 end
if stored == 'ABORTED' and phase ~= 'ABORTED' and phase ~= 'DONE' then return 0 end
local asked = redis.call('HGET', KEYS[1], 'asked')
if asked and answers ~= '' and string.match(asked, '^%d+') ~= answers then return 0 end
tell(phase, state)
if isTerminal then
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[1], 'asked')
end
return 1
