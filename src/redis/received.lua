--[[
  Notes a chunk as received and tells RECEIVING, unless a merge is under way or the upload has ended. Preceded by progress-record.lua.

  ARGV[3] index of the chunk     ARGV[4] size     ARGV[5] chunkSize     ARGV[6] chunkCount     ARGV[7] bytes of the last chunk
  Returns {count, bytes} of all that is there, or nil while it isn't known what was there before.
]]
local index, size, chunkSize, chunkCount, lastBytes = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])

if redis.call('GETBIT', KEYS[2], 0) == 0 then return false end
redis.call('SETBIT', KEYS[2], index, 1)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
local count = redis.call('BITCOUNT', KEYS[2]) - 1
local hasLast = redis.call('GETBIT', KEYS[2], chunkCount)
local bytes = (count - hasLast) * chunkSize + hasLast * lastBytes

local phase = redis.call('HGET', KEYS[1], 'phase')
if not phase or phase == 'RECEIVING' or phase == 'FAILED' then
  local percent = size > 0 and math.min(100, bytes / size * 100) or 100
  local state = '{"phase":"RECEIVING","doneBytes":%s,"totalBytes":%s,"percent":%s,"proved":false,"updatedAt":%s}'
  local updatedAt = text(math.floor(nowUs / 1000))
  tell('RECEIVING', string.format(state, text(bytes), text(size), string.format('%.17g', percent), updatedAt))
end
return { text(count), text(bytes) }
