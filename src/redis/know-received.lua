--[[
  Adds chunks that were found on the host to those that are known. Tells nobody.

  KEYS[1] received chunks of an upload, a bitmap     KEYS[2] a key for the length of this script
  ARGV[1] ttlMs     ARGV[2] the chunks found, a bitmap with bit 0 set     ARGV[3] chunkSize     ARGV[4] chunkCount
  ARGV[5] bytes of the last chunk
  Returns {count, bytes} of all that is known.
]]
local chunkSize, chunkCount, lastBytes = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])

redis.call('SET', KEYS[2], ARGV[2])
redis.call('BITOP', 'OR', KEYS[1], KEYS[1], KEYS[2])
redis.call('DEL', KEYS[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local count = redis.call('BITCOUNT', KEYS[1]) - 1
local hasLast = redis.call('GETBIT', KEYS[1], chunkCount)
local bytes = (count - hasLast) * chunkSize + hasLast * lastBytes
return { string.format('%.0f', count), string.format('%.0f', bytes) }
