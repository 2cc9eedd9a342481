--[[
  Strikes an upload out. Preceded by ledger-record.lua.
]]
local line = read(KEYS[1], upload)
strike(KEYS[1], upload)
if line and line.space ~= '' then strike(spacePrefix .. line.space, upload) end
return 1
