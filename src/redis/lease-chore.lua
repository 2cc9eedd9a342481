--[[
  Takes or renews a chore.

  KEYS[1] the chore     ARGV[1] token     ARGV[2] leaseMs
  Returns 1 when the token has it from now, 0 when another has it.
]]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
