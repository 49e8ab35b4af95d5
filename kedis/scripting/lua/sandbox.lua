-- The sandbox: what a script sees of Lua.
--
-- Stock Lua 5.1 has no read-only tables. A protected table is therefore an empty proxy whose metatable reads from the
-- real table and refuses writes; the functions that would look past a metatable (next, pairs, rawget, rawset,
-- table.insert, …) are replaced by ones that know the proxies. Scripts never get hold of a real table of ours.

local support, host, guards = ...

local READONLY = "Attempt to modify a readonly table"

local fail, bad_argument, bad_type = support.fail, support.bad_argument, support.bad_type
local check_number, check_string, check_table = support.check_number, support.check_string, support.check_table
local check_int, is_ours, position = support.check_int, support.is_ours, support.position
local shown_problem, handle_error, to_int = support.shown_problem, support.handle_error, support.to_int
local error, getinfo, getmetatable, next = error, debug.getinfo, getmetatable, next
local rawget, rawset, setmetatable, type = rawget, rawset, setmetatable, type
local select, pcall, xpcall = select, pcall, xpcall
local byte, dump, format, gsub, sub = string.byte, string.dump, string.format, string.gsub, string.sub
local load, loadstring, setfenv = load, loadstring, setfenv
local collectgarbage, floor = collectgarbage, math.floor
local pairs = pairs

-- Protected tables --------------------------------------------------------------------------------------------

local real_of = {} -- proxy → the table it shows
local metatable_of = {} -- proxy → what getmetatable shows of it

local function refuse_write()
  fail(READONLY)
end

-- A read-only view of `real`, with `missing` called for keys that are not there.
local function protect(real, missing)
  if missing then
    setmetatable(real, { __index = missing })
  end
  local proxy = setmetatable({}, { __index = real, __newindex = refuse_write })
  real_of[proxy] = real
  if missing then
    metatable_of[proxy] = protect({ __index = missing })
  end
  return proxy
end
support.protect = protect

function support.check_writable(t)
  if real_of[t] then
    error(READONLY, 0)
  end
end

local function missing_global(_, name)
  if type(name) ~= "string" and type(name) ~= "number" then
    name = ""
  end
  fail(format("Script attempted to access nonexistent global variable '%s'", name))
end

-- Replacements of functions that look past metatables, or that are not safe -------------------------------------

local base = {}

function base.next(...)
  local t, key = ...
  local real = real_of[t]
  if real then
    return next(real, key)
  end
  if type(t) ~= "table" then
    bad_type(1, "table", select("#", ...), t)
  end
  return next(t, key)
end

local next_of_any = base.next

function base.pairs(...)
  local t = ...
  if real_of[t] then
    return next_of_any, t, nil
  end
  if type(t) ~= "table" then
    bad_type(1, "table", select("#", ...), t)
  end
  return next, t, nil
end

function base.rawget(...)
  local t, key = ...
  check_table(1, select("#", ...), t)
  if select("#", ...) < 2 then
    bad_argument(2, "value expected")
  end
  return rawget(real_of[t] or t, key)
end

function base.rawset(...)
  local t, key, value = ...
  local count = select("#", ...)
  check_table(1, count, t)
  if count < 3 then
    bad_argument(count + 1, "value expected")
  end
  if real_of[t] then
    error(READONLY, 0)
  end
  return rawset(t, key, value)
end

local string_metatable = getmetatable("")
local shown_string_metatable

function base.getmetatable(...)
  local value = ...
  if select("#", ...) == 0 then
    bad_argument(1, "value expected")
  end
  if type(value) == "string" then
    return shown_string_metatable
  elseif real_of[value] then
    return metatable_of[value]
  end
  return getmetatable(value)
end

function base.setmetatable(...)
  local t, metatable = ...
  local count = select("#", ...)
  check_table(1, count, t)
  if count < 2 or (metatable ~= nil and type(metatable) ~= "table") then
    bad_argument(2, "nil or table expected")
  end
  if real_of[t] then
    error(READONLY, 0)
  end
  local present = getmetatable(t)
  if type(present) == "table" and rawget(present, "__metatable") ~= nil or present ~= nil and type(present) ~= "table" then
    fail("cannot change a protected metatable")
  end
  return setmetatable(t, metatable)
end

function base.error(...)
  local problem, level = ...
  level = level == nil and 1 or check_int(2, select("#", ...), level)
  if level > 0 and (type(problem) == "string" or type(problem) == "number") then
    problem = position(level) .. problem
  end
  error(problem, 0)
end

-- The outcome of a pcall: an error of a Redis function is seen as its text.
local function outcome(nested, ok, ...)
  support.nested = nested
  if ok then
    return ok, ...
  end
  local problem = ...
  if type(problem) == "table" then
    local text = problem.err
    if text ~= nil then
      return false, text
    end
  end
  return false, shown_problem(problem)
end

-- A pcall without arguments calls what is on Lua's stack, which is a boolean in Redis.
function base.pcall(...)
  if select("#", ...) == 0 then
    return false, "attempt to call a boolean value"
  end
  return outcome(support.nested, pcall(...))
end

-- Whether the running script is to end, so that nothing of it may run any more; set by redis.lua.
support.is_stopped = function()
  return false
end

-- A handler that is called for the error of a hook cannot be interrupted, so it is not called for the one that ends
-- a script.
function base.xpcall(...)
  local body, handler = ...
  if select("#", ...) < 2 then
    bad_argument(2, "value expected")
  end
  local nested = support.nested
  return xpcall(body, function(problem)
    support.nested = nested
    if support.is_stopped() then
      return problem
    end
    return (handler(shown_problem(problem)))
  end)
end

function base.gcinfo()
  return floor(collectgarbage("count"))
end

-- The settings of the collector are the server's: they are taken and not followed.
local collector_options = { stop = 0, restart = 0, setpause = 200, setstepmul = 200 }

function base.collectgarbage(...)
  local option = ...
  if option == nil then
    option = "collect"
  end
  option = check_string(1, 1, option)
  if collector_options[option] then
    return collector_options[option]
  elseif option == "step" then
    return collectgarbage("step", (select(2, ...)))
  elseif option ~= "collect" and option ~= "count" then
    bad_argument(1, format("invalid option '%s'", option))
  end
  return collectgarbage(option)
end

-- Chunks --------------------------------------------------------------------------------------------------------

local environments = {} -- "eval", "function", "library" → the globals of a chunk

-- `chunk`, ready to run in `environment`.
local function settle_chunk(chunk, name, environment)
  local code = host.keep_tail_frames(dump(chunk))
  if code then
    chunk = loadstring(code, name)
  end
  return setfenv(chunk, environment)
end

-- The message of Redis's compiler, which knows no binary chunks, in place of the one for "=".
local function as_binary(message)
  return (gsub(message, "near .*$", "near 'char(27)'"))
end

-- Compile `source` to run in `environment`. Returns nil and a message on a syntax error; binary chunks are one.
local function compile(source, name, environment)
  local is_binary = byte(source) == 27
  local chunk, message = loadstring(is_binary and "=" or source, name)
  if chunk then
    return settle_chunk(chunk, name, environment)
  end
  return nil, is_binary and as_binary(message) or message
end
support.compile = compile

local current = "eval" -- whose environment a chunk gets that a script loads

function base.loadstring(...)
  local source, name = ...
  local count = select("#", ...)
  source = check_string(1, count, source)
  name = name == nil and source or check_string(2, count, name)
  return compile(source, name, environments[current])
end

-- What `reader` gives to load, piece by piece; binary chunks are a syntax error, as in compile.
local function text_reader(reader, state)
  return function()
    local piece = reader()
    if piece ~= nil and type(piece) ~= "string" and type(piece) ~= "number" then
      fail("reader function must return a string", true)
    elseif state.first and piece ~= nil and byte(piece) == 27 then
      state.binary = true
      piece = "=" .. sub(piece, 2)
    end
    state.first = false
    return piece
  end
end

function base.load(...)
  local reader, name = ...
  local count = select("#", ...)
  if type(reader) ~= "function" then
    bad_type(1, "function", count, reader)
  end
  name = name == nil and "=(load)" or check_string(2, count, name)
  local state = { first = true }
  local chunk, message = load(text_reader(reader, state), name)
  if chunk then
    return settle_chunk(chunk, name, environments[current])
  elseif state.binary and type(message) == "string" then
    return nil, as_binary(message)
  end
  return nil, shown_problem(message)
end

base.__redis__err__handler = handle_error

-- Libraries -----------------------------------------------------------------------------------------------------

local table_foreach = table.foreach
local tables = {}
for name, value in pairs(table) do
  tables[name] = value
end
tables.insert = guards.insert

function tables.foreach(...)
  local t, visit = ...
  local count = select("#", ...)
  check_table(1, count, t)
  if type(visit) ~= "function" then
    bad_type(2, "function", count, visit)
  end
  return table_foreach(real_of[t] or t, visit)
end

-- Pseudo-random numbers by the 48-bit congruence of POSIX's lrand48, so that they are Redis's everywhere. The state is
-- two halves of 24 bits, whose products a double holds exactly.
local HALF = 2 ^ 24
local MULTIPLIER_HIGH, MULTIPLIER_LOW, INCREMENT = 0x5DE, 0xECE66D, 0xB
local MOST = 2 ^ 31 - 1
local high, low = 0x1234AB, 0xCD330E

local function draw()
  local product = low * MULTIPLIER_LOW + INCREMENT
  high = (high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH + floor(product / HALF)) % HALF
  low = product % HALF
  return (high * 128 + floor(low / 131072)) % MOST / MOST
end

local maths = {}
for name, value in pairs(math) do
  maths[name] = value
end

function maths.random(...)
  local count = select("#", ...)
  local part = draw()
  if count == 0 then
    return part
  elseif count > 2 then
    fail("wrong number of arguments")
  end
  local from, to = 1, to_int(check_number(1, count, (...)))
  if count == 2 then
    from, to = to, to_int(check_number(2, count, (select(2, ...))))
  end
  if from > to then
    bad_argument(count, "interval is empty")
  end
  return floor(part * to_int(to - from + 1)) + from
end

function maths.randomseed(...)
  local seed = to_int(check_number(1, select("#", ...), (...))) % 2 ^ 32
  high, low = floor(seed / 256), seed % 256 * 65536 + 0x330E
end

local coroutines = {}
for name, value in pairs(coroutine) do
  coroutines[name] = value
end

-- Makes the running coroutine interruptible; set by redis.lua.
support.current_hook = function() end

local function check_body(body)
  local info = type(body) == "function" and getinfo(body, "S")
  if not info or info.what == "C" or is_ours(info.source) then -- what is ours is a C function in Redis
    bad_argument(1, "Lua function expected")
  end
end

local function interruptible(body)
  return function(...)
    support.current_hook()
    return body(...)
  end
end

local coroutine_create, coroutine_resume, coroutine_wrap = coroutine.create, coroutine.resume, coroutine.wrap

local function resumed(nested, ok, ...)
  support.nested = nested
  if ok then
    return ok, ...
  end
  local problem = ...
  if support.is_stopped() then
    error(problem, 0)
  end
  return false, shown_problem(problem)
end

function coroutines.resume(...)
  local body = ...
  if type(body) ~= "thread" then
    bad_argument(1, "coroutine expected")
  end
  return resumed(support.nested, coroutine_resume(...))
end

function coroutines.create(...)
  local body = ...
  check_body(body)
  return coroutine_create(interruptible(body))
end

function coroutines.wrap(...)
  local body = ...
  check_body(body)
  return coroutine_wrap(interruptible(body))
end

-- The environments ------------------------------------------------------------------------------------------------

local kept = {
  "_VERSION", "assert", "ipairs", "rawequal", "select", "tonumber", "tostring", "type",
}
for _, name in ipairs(kept) do
  base[name] = _G[name]
end
base.unpack = guards.unpack

local strings = {}
for name, value in pairs(string) do
  strings[name] = guards[name] or value
end
base.string = protect(strings)
base.table = protect(tables)
base.math = protect(maths)
base.coroutine = protect(coroutines)
string_metatable.__index = strings
shown_string_metatable = protect({ __index = base.string })

-- Make `globals`, completed by everything above, the environment `name`.
function support.define(name, globals, bare)
  if not bare then
    for key, value in pairs(base) do
      if globals[key] == nil then
        globals[key] = value
      end
    end
  end
  environments[name] = protect(globals, missing_global)
  globals._G = environments[name]
  return environments[name]
end

function support.enter(name)
  current = name
end

support.environments = environments
support.pairs = base.pairs
support.raise_plain = function(message)
  error(message, 0)
end
support.without_metatable = function(t)
  return real_of[t] or t
end

-- A light userdata without metatable, which no other value is: cjson.null. Lua keeps its hooks under one.
local function find_null()
  debug.sethook(function() end, "", 1000000)
  debug.sethook()
  for key in next, debug.getregistry() do
    if type(key) == "userdata" then
      return key
    end
  end
end
support.null = find_null()

-- Take the runtime's own globals away once everything is loaded: nothing of this package needs them any more, and
-- nobody else shall find them.
function support.seal()
  for name in next, _G do
    if name ~= "_G" then
      _G[name] = nil
    end
  end
  _G._G = nil
end

return support
