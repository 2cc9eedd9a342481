--[[
  Strikes an upload out. Preceded by ledger-record.lua.
]]
local line = read(KEYS[1], upload)
if line and line.space ~= '' then strike(spacePrefix .. line.space, upload) end
strike(KEYS[1], upload)
return 1
