--[[
  Enters an upload, or what is new about it, when bounds and space allow. Preceded by ledger-record.lua.

  ARGV[3] sizeBytes     ARGV[4] '1' when something of it is on its host, else '0'     ARGV[5] ttlMs
  ARGV[6] key of its space, or ''     ARGV[7] neededBytes     ARGV[8] freeBytes     ARGV[9] ttlMs of the promise
  ARGV[10] uploadsPerPerson, or '' where nothing is refused     ARGV[11] bytesPerPerson     ARGV[12] claimsPerPerson

  Returns one of
    {'entered', isNew}          isNew: '1' when it wasn't in the book
    {'exceeded', bound, used}   bound as in ARGV
    {'no-space', promised}
]]
local size, staged, ttlMs, space = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6]
local needed, free, spaceTtlMs = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local isBounded = ARGV[10] ~= ''
local maxUploads, maxBytes, maxClaims = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local person = KEYS[1]

strikeLapsed(person)
local own = read(person, upload)
if isBounded and not own then
  local uploads, claims = redis.call('ZCARD', lapses(person)), total(person, 'claims')
  if uploads >= maxUploads then return { 'exceeded', 'uploadsPerPerson', text(uploads) } end
  if staged == '0' and claims >= maxClaims then return { 'exceeded', 'claimsPerPerson', text(claims) } end
end
local used = total(person, 'bytes') - (own and own.bytes or 0)
-- One that was let in before goes on, also under a bound that is lower now.
local isMore = not own or size > own.bytes
if isBounded and isMore and used + size > maxBytes then return { 'exceeded', 'bytesPerPerson', text(used) } end

if space ~= '' then
  local book = spacePrefix .. space
  strikeLapsed(book)
  local promised = read(book, upload)
  local others = total(book, 'bytes') - (promised and promised.bytes or 0)
  if isBounded and free - others < needed then return { 'no-space', text(others) } end
  write(book, upload, { untilMs = now + spaceTtlMs, bytes = needed, staged = staged, space = '' })
end
if own and own.space ~= '' and own.space ~= space then strike(spacePrefix .. own.space, upload) end
write(person, upload, { untilMs = now + ttlMs, bytes = size, staged = staged, space = space })
return { 'entered', own and '' or '1' }
