--[[
  Gives a lease back, if this token of this upload has it.

  KEYS[1] the claim of a target     ARGV[1] upload     ARGV[2] field of the lease: m or s:<index>     ARGV[3] token
  Returns 1 when it was given back, else 0.
]]
local values = redis.call('HMGET', KEYS[1], 'upload', ARGV[2])
local token = string.match(values[2] or '', '^%d+ (.*)$')
if values[1] ~= ARGV[1] or token ~= ARGV[3] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[2])
