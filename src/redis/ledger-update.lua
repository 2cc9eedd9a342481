--[[
  What is new about an upload, if it is in the book. Preceded by ledger-record.lua.

  ARGV[3] staged: '1', '0', or '' as before     ARGV[4] ttlMs, or ''     ARGV[5] neededBytes, or ''
]]
local line = read(KEYS[1], upload)
if not line or line.untilMs <= now then return 0 end
if ARGV[3] ~= '' then line.staged = ARGV[3] end
if ARGV[4] ~= '' then line.untilMs = now + tonumber(ARGV[4]) end
write(KEYS[1], upload, line)
if line.space == '' then return 1 end
local book = spacePrefix .. line.space
local promised = read(book, upload)
if not promised then return 1 end
promised.staged, promised.untilMs = line.staged, line.untilMs
if ARGV[5] ~= '' then promised.bytes = tonumber(ARGV[5]) end
write(book, upload, promised)
return 1
