-- The sandbox: what a script sees of Lua, and where an error of it happened.
--
-- Stock Lua 5.1 has no read-only tables. A protected table is therefore an empty proxy whose metatable reads from the
-- real table and refuses writes; the functions that would look past a metatable (next, pairs, rawget, rawset,
-- table.insert, …) are replaced by ones that know the proxies. Scripts never get hold of a real table of ours.
--
-- Functions written in Lua stand where Redis has C functions. Errors must nevertheless name the script's line, so
-- every error is raised by `fail`, which walks up to the first frame that is not of this package.

local host = ...

local OURS = "=[kedis]"
local READONLY = "Attempt to modify a readonly table"
local TAIL_CALL = "=(tail call)"

local error, getinfo, getmetatable, next = error, debug.getinfo, getmetatable, next
local rawget, rawset, setmetatable, type = rawget, rawset, setmetatable, type
local select, tostring, pcall, xpcall = select, tostring, pcall, xpcall
local format, dump, byte = string.format, string.dump, string.byte
local loadstring, setfenv, concat = loadstring, setfenv, table.concat
local tonumber, collectgarbage, floor = tonumber, collectgarbage, math.floor
local pairs = pairs

local support = { OURS = OURS }

-- Errors ------------------------------------------------------------------------------------------------------

-- The level, as getinfo counts for the caller of this function, of the first frame that belongs to a script.
local function script_level()
  local level = 2
  while true do
    level = level + 1
    local info = getinfo(level, "S")
    if not info or (info.source ~= OURS and info.source ~= TAIL_CALL) then
      return level - 1, info
    end
  end
end

-- Raise `message` with the position of the script's line before it, as a C function of Lua does.
local function fail(message)
  local level, info = script_level()
  if info and info.what ~= "C" then
    info = getinfo(level, "Sl")
    message = format("%s:%d: %s", info.short_src, info.currentline, message)
  end
  error(message, 0)
end

-- The name by which the script has called the function of this package that it is in.
local function called_name()
  local level = script_level() - 1
  while level > 1 and getinfo(level, "S").source == TAIL_CALL do
    level = level - 1
  end
  return getinfo(level, "n").name or "?"
end

local function bad_argument(position, message)
  local level = script_level() - 1
  local name = getinfo(level, "n").name or "?"
  fail(format("bad argument #%d to '%s' (%s)", position, name, message))
end

-- Complain of argument `position`, of which `count` were given, because it is not what was `expected`.
local function bad_type(position, expected, count, value)
  bad_argument(position, format("%s expected, got %s", expected, position > count and "no value" or type(value)))
end

-- A number out of `value` as Lua's C functions take one: strings that look like numbers pass.
local function check_number(position, count, value)
  local number = tonumber(value)
  if type(value) ~= "number" and (type(value) ~= "string" or not number) then
    bad_type(position, "number", count, value)
  end
  return number
end

local function check_string(position, count, value)
  if type(value) == "number" then
    return tostring(value)
  elseif type(value) ~= "string" then
    bad_type(position, "string", count, value)
  end
  return value
end

local function check_table(position, count, value)
  if type(value) ~= "table" then
    bad_type(position, "table", count, value)
  end
end

-- An error of a Redis function, without a position: a table, which redis.pcall and the error handler understand.
local function raise(text)
  error({ err = text }, 0)
end

support.fail, support.raise, support.bad_argument, support.bad_type = fail, raise, bad_argument, bad_type
support.check_number, support.check_string, support.check_table = check_number, check_string, check_table

-- What a script gets to see of the error value `problem`: one that Python has raised is an object of Python.
local function shown_problem(problem)
  if type(problem) == "userdata" and problem ~= support.null then
    return "internal error"
  end
  return problem
end

-- The message handler of every script: an error table that says where it happened.
local function handle_error(problem)
  problem = shown_problem(problem)
  local level = 2
  local info = getinfo(level, "Sl")
  if info and info.source ~= OURS and info.what == "C" then
    level = level + 1
    info = getinfo(level, "Sl")
  end
  while info and (info.source == OURS or info.source == TAIL_CALL) do
    level = level + 1
    info = getinfo(level, "Sl")
  end
  local report = { source = info and info.source or "", line = info and info.currentline or -1 }
  if type(problem) == "table" then
    report.err = rawget(problem, "err")
    report.ignore_error_stats_update = rawget(problem, "ignore_error_stats_update")
    if type(report.err) == "number" then
      report.err = tostring(report.err)
    elseif type(report.err) ~= "string" then
      report.err = "ERR unknown error"
    end
  elseif type(problem) == "string" then
    report.err = "ERR " .. problem
  else
    report.err = "ERR " .. tostring(problem)
  end
  return report
end
support.handle_error = handle_error

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

-- The outcome of a pcall: an error of a Redis function is seen as its text.
local function outcome(ok, problem, ...)
  if not ok then
    if type(problem) == "table" then
      local text = problem.err
      if text ~= nil then
        return false, text
      end
    end
    return false, shown_problem(problem)
  end
  return ok, problem, ...
end

-- A pcall without arguments calls what is on Lua's stack, which is a boolean in Redis.
function base.pcall(...)
  if select("#", ...) == 0 then
    return false, "attempt to call a boolean value"
  end
  return outcome(pcall(...))
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
  return xpcall(body, function(problem)
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

-- Compile `source` to run in `environment`. Returns nil and a message on a syntax error; binary chunks are one.
local function compile(source, name, environment)
  if byte(source) == 27 then
    local chunk, message = loadstring("=", name)
    return nil, (message:gsub("near .*$", "near 'char(27)'"))
  end
  local chunk, message = loadstring(source, name)
  if not chunk then
    return nil, message
  end
  local code = host.keep_tail_frames(dump(chunk))
  if code then
    chunk = loadstring(code, name)
  end
  return setfenv(chunk, environment)
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

function base.load(...)
  local reader, name = ...
  local count = select("#", ...)
  if type(reader) ~= "function" then
    bad_type(1, "function", count, reader)
  end
  name = name == nil and "=(load)" or check_string(2, count, name)
  local parts = {}
  while true do
    local part = reader()
    if part == nil or part == "" then
      break
    elseif type(part) ~= "string" then
      fail("reader function must return a string")
    end
    parts[#parts + 1] = part
  end
  return compile(concat(parts), name, environments[current])
end

base.__redis__err__handler = handle_error

-- Libraries -----------------------------------------------------------------------------------------------------

local table_insert, table_foreach = table.insert, table.foreach
local tables = {}
for name, value in pairs(table) do
  tables[name] = value
end

function tables.insert(...)
  local t, position = ...
  local count = select("#", ...)
  check_table(1, count, t)
  if count == 3 then
    check_number(2, count, position)
  elseif count ~= 2 then
    fail("wrong number of arguments to 'insert'")
  end
  if real_of[t] then
    error(READONLY, 0)
  end
  return table_insert(...)
end

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

-- The number as a C int: without its fraction, and modulo 2^32.
local function to_int(number)
  number = (number < 0 and -floor(-number) or floor(number)) % 2 ^ 32
  return number >= 2 ^ 31 and number - 2 ^ 32 or number
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
  if type(body) ~= "function" or getinfo(body, "S").what == "C" then
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

local function resumed(ok, problem, ...)
  if not ok then
    if support.is_stopped() then
      error(problem, 0)
    end
    return false, shown_problem(problem)
  end
  return ok, problem, ...
end

function coroutines.resume(...)
  local body = ...
  if type(body) ~= "thread" then
    bad_argument(1, "coroutine expected")
  end
  return resumed(coroutine_resume(...))
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
  "_VERSION", "assert", "error", "ipairs", "rawequal", "select", "tonumber", "tostring", "type", "unpack",
}
for _, name in ipairs(kept) do
  base[name] = _G[name]
end

local strings = {}
for name, value in pairs(string) do
  strings[name] = value
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
