-- Functions of Lua's own that a script could use to end the process or to hold it for long: the same behind a check.
--
-- They are called by `pcall`, under which Lua gives an error no position and no name, so that both can be those of the
-- script. This module is compiled with its tail calls kept (bytecode.py), because the name of a function is that of its
-- call, which a tail call forgets.

local support = ...

local fail, bad_argument, to_int = support.fail, support.bad_argument, support.to_int
local check_int, check_table = support.check_int, support.check_table
local error, pcall, rawset, select, tonumber, type, unpack = error, pcall, rawset, select, tonumber, type, unpack
local floor, find, match, gmatch, gsub, rep = math.floor, string.find, string.match, string.gmatch, string.gsub, string.rep
local rawget, table_insert = rawget, table.insert

local MOST_QUANTIFIERS = 2000 -- Lua's matcher recurses for each, on a C stack that is a megabyte in some threads
local MOST_NESTED = 50 -- replacements within replacements, each of which takes 9 KB of it
local MOST_RESULTS = 2 ^ 31 - 1
local LONG = 4096 -- bytes from which a repeated string is made by doubling, which copies blocks

-- The results of a pcall, or its error raised as the script's own.
local function settle_call(ok, ...)
  if ok then
    return ...
  end
  local problem = ...
  if type(problem) ~= "string" or problem == "not enough memory" then
    error(problem, 0)
  end
  local position, message = match(problem, "^bad argument #(%d+) to '%?' %((.*)%)$")
  if position then
    bad_argument(tonumber(position), message)
  end
  fail(problem)
end

-- Refuse a pattern that would overflow the C stack: the process would end.
local function check_pattern(pattern)
  if type(pattern) == "string" and #pattern > MOST_QUANTIFIERS then
    local _, count = gsub(pattern, "[?*+-]", "")
    if count > MOST_QUANTIFIERS then
      fail("pattern too complex")
    end
  end
end

local guards = {}

function guards.find(...)
  local _, pattern, _, plain = ...
  if not plain then
    check_pattern(pattern)
  end
  return settle_call(pcall(find, ...))
end

function guards.match(...)
  local _, pattern = ...
  check_pattern(pattern)
  return settle_call(pcall(match, ...))
end

function guards.gmatch(...)
  local _, pattern = ...
  check_pattern(pattern)
  return settle_call(pcall(gmatch, ...))
end
guards.gfind = guards.gmatch

support.nested = 0 -- replacements under way; whoever catches an error puts it back

local function leave(...)
  support.nested = support.nested - 1
  return ...
end

-- A replacement that calls the script is called without a pcall in between, which would hide where an error of it is; so
-- what is wrong with the pattern has to be found before.
function guards.gsub(...)
  local text, pattern, replacement = ...
  check_pattern(pattern)
  local kind = type(replacement)
  if kind ~= "function" and kind ~= "table" then
    return settle_call(pcall(gsub, ...))
  end
  settle_call(pcall(gsub, text, pattern, "", select(4, ...)))
  if support.nested >= MOST_NESTED then
    fail("C stack overflow")
  end
  support.nested = support.nested + 1
  return leave(gsub(...))
end

local function repeated(text, count)
  if count * #text <= LONG then
    return rep(text, count)
  end
  local half = repeated(text, floor(count / 2))
  if count % 2 == 0 then
    return half .. half
  end
  return half .. half .. text
end

function guards.rep(...)
  local text, count = ...
  if type(text) ~= "string" or not tonumber(count) then
    return settle_call(pcall(rep, ...))
  end
  count = to_int(tonumber(count))
  if text == "" or count < 1 then
    return ""
  end
  return (repeated(text, count))
end

-- Lua computes how many results there are in 32 bits.
function guards.unpack(...)
  local t, from, to = ...
  from, to = tonumber(from), to == nil and type(t) == "table" and #t or tonumber(to)
  if from and to and to_int(to) - to_int(from) >= MOST_RESULTS then
    fail("too many results to unpack")
  end
  return settle_call(pcall(unpack, ...))
end

-- Put `value` at a position before the first: all from there on move, and a script can be ended meanwhile.
local function insert_below(t, position, value)
  local size = #t
  for index = size + 1, position + 1, -1 do
    rawset(t, index, rawget(t, index - 1))
  end
  rawset(t, position, value)
end

function guards.insert(...)
  local t, position, value = ...
  local count = select("#", ...)
  check_table(1, count, t)
  if count == 3 then
    position = check_int(2, count, position)
  elseif count ~= 2 then
    fail("wrong number of arguments to 'insert'")
  end
  support.check_writable(t)
  if count == 3 and position < 1 then
    return insert_below(t, position, value)
  end
  return table_insert(...)
end

return guards
