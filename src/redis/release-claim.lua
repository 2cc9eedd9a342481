--[[
  Gives a claim up, and every lease under it, if this person's upload holds it.

  KEYS[1] the claim of a target     ARGV[1] person     ARGV[2] upload
  Returns 1 when it was given up, else 0.
]]
local owner = redis.call('HMGET', KEYS[1], 'person', 'upload')
if owner[1] ~= ARGV[1] or owner[2] ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
