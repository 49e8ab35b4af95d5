-- The table `redis` of scripts and functions, and how they are run.
--
-- Replies cross from Python as plain Lua values, or as nil and a code of what they are (to_lua.py); results cross back
-- as plain values, or as a list of pairs of a code and a value (from_lua.py). Tables are made and read on this side,
-- because each crossing costs as much as twenty table accesses.

local support, host, version, version_number, libraries_of_lua = ...

local fail, raise, bad_argument = support.fail, support.raise, support.bad_argument
local handle_error, define, protect, compile = support.handle_error, support.define, support.protect, support.compile
local error, ipairs, next, pcall, rawget = error, ipairs, next, pcall, rawget
local select, type, unpack = select, type, unpack
local xpcall, tostring, tonumber, floor = xpcall, tostring, tonumber, math.floor
local concat, find, format, gsub, sub, match = table.concat, string.find, string.format, string.gsub, string.sub, string.match
local getinfo, sethook = debug.getinfo, debug.sethook
local OURS = support.OURS

-- Codes of values, the same as in codes.py.
local PLAIN, STATUS, ERROR, ARRAY, MAP, SET, DOUBLE, BIG_NUMBER, VERBATIM, NIL = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
local FLAT, READY, CODED, STOP, COUNTED_ERROR = 11, 12, 13, 14, 15

local CHUNK = 4000 -- values that cross at once

-- Interruption --------------------------------------------------------------------------------------------------------

local INSTRUCTIONS = 100000 -- between two looks at the clock
local stopped -- why the running script must end; nothing that it catches keeps it alive

local function interrupt()
  if getinfo(2, "S").source ~= OURS then -- what of ours may be left anywhere is PURE
    error({ err = stopped }, 0)
  end
end

function support.is_stopped()
  return stopped ~= nil
end

local function stop(reason)
  stopped = reason
  sethook(interrupt, "l", 1)
end

local function look_at_clock()
  local reason = host.tick()
  if reason then
    stop(reason)
    interrupt()
  end
end

-- For a function that has taken long outside of Lua.
support.look_at_clock = look_at_clock

-- Make the running coroutine interruptible.
local function set_hook()
  if stopped then
    sethook(interrupt, "l", 1)
  else
    sethook(look_at_clock, "", INSTRUCTIONS)
  end
end
support.current_hook = set_hook

-- Replies of commands -----------------------------------------------------------------------------------------------------

local build

local function build_many(values, position, count, into)
  for index = 1, count do
    into[index], position = build(values, position)
  end
  return into, position
end

-- The value that begins at `position` of the pairs of codes and values, and the position behind it.
function build(values, position)
  local code, value = values[position], values[position + 1]
  position = position + 2
  if code == PLAIN then
    return value, position
  elseif code == NIL then
    return nil, position
  elseif code == STATUS then
    return { ok = value }, position
  elseif code == ERROR then
    return { err = value, ignore_error_stats_update = true }, position
  elseif code == ARRAY then
    return build_many(values, position, value, {})
  elseif code == DOUBLE then
    return { double = value }, position
  elseif code == BIG_NUMBER then
    return { big_number = value }, position
  elseif code == VERBATIM then
    return { verbatim_string = { format = value, string = values[position + 1] } }, position + 2
  end
  local content = {}
  for _ = 1, value do
    local key
    key, position = build(values, position)
    if code == SET then
      content[key] = true
    else
      content[key], position = build(values, position)
    end
  end
  return code == SET and { set = content } or { map = content }, position
end

-- A reply that is no plain value. Errors are raised unless `caught`; those of commands have been counted.
local function special(caught, code, value, uncounted, ...)
  if code == STATUS then
    return { ok = value }
  elseif code == FLAT then
    return { value, uncounted, ... }
  elseif code == READY then
    return value
  elseif code == CODED then
    return (build(value, 1))
  elseif code == ERROR then
    local problem = { err = value }
    if not uncounted then
      problem.ignore_error_stats_update = true
    end
    if caught then
      return problem
    end
    error(problem, 0)
  elseif code == STOP then
    stop(value)
    error({ err = value }, 0)
  end
end

-- What redis.call and redis.pcall make of the answer of Python; plain values first, which most answers are.
local function settle_call(value, code, ...)
  if value ~= nil then
    return value
  elseif code == STATUS then
    return { ok = (...) }
  elseif code == FLAT then
    return { ... }
  end
  return special(false, code, ...)
end

local function settle_pcall(value, code, ...)
  if value ~= nil then
    return value
  end
  return special(true, code, ...)
end

-- Arguments as two strings: all of them joined, and their lengths; nil if one is neither a string nor a number.
local function join(count, ...)
  local values, lengths = { ... }, {}
  for index = 1, count do
    local value = values[index]
    if type(value) == "number" then
      value = format("%.17g", value)
      values[index] = value
    elseif type(value) ~= "string" then
      return nil
    end
    lengths[index] = #value
  end
  return concat(values), concat(lengths, " ")
end

local ARGUMENTS_NEEDED = "ERR Please specify at least one argument for this redis lib call"
local ARGUMENTS_WRONG = "ERR Lua redis lib command arguments must be strings or integers"

local host_call, host_call_joined = host.call, host.call_joined

-- A call with many arguments, or with a zero among them, which Python could not tell from a negative one.
local function call_joined(settle, ...)
  local joined, lengths = join(select("#", ...), ...)
  if not joined then
    return settle(nil, ERROR, ARGUMENTS_WRONG, true)
  end
  return settle(host_call_joined(joined, lengths))
end

local api = {}

function api.call(...)
  local a, b, c, d, e, f, g, h, ninth = ...
  if ninth ~= nil or a == 0 or b == 0 or c == 0 or d == 0 or e == 0 or f == 0 or g == 0 or h == 0 then
    return call_joined(settle_call, ...)
  end
  return settle_call(host_call(...))
end

function api.pcall(...)
  local a, b, c, d, e, f, g, h, ninth = ...
  if ninth ~= nil or a == 0 or b == 0 or c == 0 or d == 0 or e == 0 or f == 0 or g == 0 or h == 0 then
    return call_joined(settle_pcall, ...)
  end
  return settle_pcall(host_call(...))
end

-- The same in C, where the native bridge is there.
api.call, api.pcall = host.native_call or api.call, host.native_pcall or api.pcall

-- The other functions -----------------------------------------------------------------------------------------------------

local function single_string(name, ...)
  if select("#", ...) ~= 1 or type((...)) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  return { [name] = (...) }
end

function api.status_reply(...)
  return single_string("ok", ...)
end

-- The text of an error as RESP wants it: a code that is missing is ERR.
function api.error_reply(...)
  local reply = single_string("err", ...)
  local text = reply.err
  if select("#", ...) == 1 and type((...)) == "string" then
    if sub(text, 1, 1) == "-" then
      text = sub(text, 2)
    end
    if not find(text, " ", 1, true) then
      text = "ERR " .. text
    end
    reply.err = text
  end
  return reply
end

local function as_string(value)
  if type(value) == "number" then
    return tostring(value)
  end
  return type(value) == "string" and value or ""
end

function api.sha1hex(...)
  if select("#", ...) ~= 1 then
    raise("ERR wrong number of arguments")
  end
  return (host.sha1hex(as_string((...))))
end

local function as_number(value)
  return type(value) == "number" and value or type(value) == "string" and tonumber(value) or nil
end

local function as_integer(value)
  local number = as_number(value) or 0
  if number ~= number then
    return -2 ^ 31 -- what the machine makes of it
  end
  return number < 0 and -floor(-number) or floor(number)
end

function api.log(...)
  local count = select("#", ...)
  if count < 2 then
    raise("ERR redis.log() requires two arguments or more.")
  elseif not as_number((...)) then
    raise("ERR First argument must be a number (log level).")
  end
  local level = as_integer((...))
  if level < 0 or level > 3 then
    raise("ERR Invalid debug level.")
  end
  local words = {}
  for index = 2, count do
    local value = select(index, ...)
    if type(value) == "string" or type(value) == "number" then
      words[#words + 1] = value
    end
  end
  host.log(level, concat(words, " "))
end

function api.setresp(...)
  if select("#", ...) ~= 1 then
    raise("ERR redis.setresp() requires one argument.")
  end
  local protocol = as_integer((...))
  if protocol ~= 2 and protocol ~= 3 then
    raise("ERR RESP version must be 2 or 3.")
  end
  host.setresp(protocol)
end

function api.set_repl(...)
  if select("#", ...) ~= 1 then
    raise("ERR redis.set_repl() requires two arguments.")
  end
  local targets = as_integer((...))
  if targets < 0 or targets > 3 then
    raise("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
  host.set_repl(targets)
end

function api.acl_check_cmd(...)
  local count = select("#", ...)
  if count == 0 then
    raise(ARGUMENTS_NEEDED)
  end
  local joined, lengths = join(count, ...)
  if not joined then
    raise(ARGUMENTS_WRONG)
  end
  local allowed = host.acl_check(joined, lengths)
  if allowed == nil then
    raise("ERR Invalid command passed to redis.acl_check_cmd()")
  end
  return allowed
end

api.LOG_DEBUG, api.LOG_VERBOSE, api.LOG_NOTICE, api.LOG_WARNING = 0, 1, 2, 3
api.REPL_NONE, api.REPL_AOF, api.REPL_SLAVE, api.REPL_REPLICA, api.REPL_ALL = 0, 1, 2, 2, 3
api.REDIS_VERSION, api.REDIS_VERSION_NUM = version, version_number

-- The environments ------------------------------------------------------------------------------------------------------

local function copy(t, without)
  local result = {}
  for key, value in next, t do
    result[key] = value
  end
  for _, key in ipairs(without or {}) do
    result[key] = nil
  end
  return result
end

local evaluation = copy(api)
function evaluation.replicate_commands()
  return true
end
function evaluation.breakpoint()
  return false
end
function evaluation.debug() end

local scripts = copy(libraries_of_lua)
scripts.redis = protect(evaluation)
scripts.KEYS, scripts.ARGV = {}, {}
define("eval", scripts)

-- One table is the environment of libraries while they are loaded and of their functions later; what it shows changes.
local functions = copy(libraries_of_lua)
functions.redis = protect(copy(api))
define("function", functions)
functions.__redis__err__handler = nil

local registering = {
  log = api.log,
  REDIS_VERSION = version,
  REDIS_VERSION_NUM = version_number,
}
for _, name in ipairs({ "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING" }) do
  registering[name] = api[name]
end

-- Results -----------------------------------------------------------------------------------------------------------------

local MOST_DEPTH = 150 -- tables within tables of a result; Redis's own stack takes more, few clients do

local put

local function put_pairs(out, code, content, depth)
  local place = #out + 2
  out[place - 1], out[place] = code, 0
  local count = 0
  for key, value in next, content do
    put(out, key, depth)
    if code == MAP then
      put(out, value, depth)
    end
    count = count + 1
  end
  out[place] = count
end

local function put_array(out, t, depth)
  local place = #out + 2
  out[place - 1], out[place] = ARRAY, 0
  local count = 0
  while true do
    local value = rawget(t, count + 1)
    if value == nil then
      break
    end
    count = count + 1
    local kind = type(value)
    if kind == "string" or kind == "number" then
      local size = #out
      out[size + 1], out[size + 2] = PLAIN, value
    else
      put(out, value, depth)
    end
  end
  out[place] = count
end

local function put_pair(out, code, value)
  local size = #out
  out[size + 1], out[size + 2] = code, value
end

-- Put a table into the pairs of codes and values: what it says that it is, or an array.
local function put_table(out, t, depth)
  local value = rawget(t, "err")
  if type(value) == "string" then
    local is_counted = rawget(t, "ignore_error_stats_update") == true
    return put_pair(out, is_counted and COUNTED_ERROR or ERROR, value)
  end
  value = rawget(t, "ok")
  if type(value) == "string" then
    return put_pair(out, STATUS, value)
  end
  value = rawget(t, "double")
  if type(value) == "number" then
    return put_pair(out, DOUBLE, value == 0 and 1 / value < 0 and "-0" or value) -- the bridge has no zero with a sign
  end
  value = rawget(t, "big_number")
  if type(value) == "string" then
    return put_pair(out, BIG_NUMBER, value)
  end
  value = rawget(t, "verbatim_string")
  if type(value) == "table" then
    local kind, text = rawget(value, "format"), rawget(value, "string")
    if type(kind) == "string" and type(text) == "string" then
      put_pair(out, VERBATIM, kind)
      return put_pair(out, PLAIN, text)
    end
  end
  value = rawget(t, "map")
  if type(value) == "table" then
    return put_pairs(out, MAP, value, depth)
  end
  value = rawget(t, "set")
  if type(value) == "table" then
    return put_pairs(out, SET, value, depth)
  end
  put_array(out, t, depth)
end

function put(out, value, depth)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then
    put_pair(out, PLAIN, value)
  elseif kind ~= "table" then
    put_pair(out, NIL, 0)
  elseif depth >= MOST_DEPTH then
    put_pair(out, ERROR, "ERR reached lua stack limit")
  else
    put_table(out, support.without_metatable(value), depth + 1)
  end
end

local waiting -- pairs of a result that is too long to cross at once

local function result_part(from)
  local last = from + CHUNK - 1
  if last >= #waiting then
    local rest = waiting
    waiting = nil
    return unpack(rest, from)
  end
  return unpack(waiting, from, last)
end

local function export(value)
  local kind = type(value)
  if kind ~= "table" then
    if kind == "string" or kind == "number" or kind == "boolean" then
      return value
    end
    return nil
  end
  local out = {}
  put(out, value, 0)
  if #out <= CHUNK then
    return CODED, unpack(out)
  end
  waiting = out
  return READY, #out
end

-- Running -----------------------------------------------------------------------------------------------------------------

local function finish(ok, value)
  support.nested = 0
  if ok then
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" or value == nil then
      return value
    end
    local text = kind == "table" and rawget(value, "err")
    if type(text) == "string" then
      return ERROR, text, nil, 0, rawget(value, "ignore_error_stats_update") == true
    end
    return export(value)
  end
  if type(value) ~= "table" then -- out of memory, or an error in the handler itself
    return ERROR, "ERR " .. tostring(value), "", -1, false
  end
  return ERROR, value.err, value.source, value.line, value.ignore_error_stats_update == true
end

local by_digest, by_name = {}, {}

local function one_key(key, ...)
  scripts.KEYS, scripts.ARGV = { key }, { ... }
end

local function some_keys(count, ...)
  local keys, arguments = { ... }, {}
  local total = select("#", ...)
  for index = count + 1, total do
    arguments[index - count] = keys[index]
    keys[index] = nil
  end
  return keys, arguments
end

local runner = {}

-- Run the script `digest`; its result as `finish` and `export` code it.
function runner.run_script(digest, count, ...)
  if count == 1 then
    one_key(...)
  elseif count == 0 then
    scripts.KEYS, scripts.ARGV = {}, { ... }
  else
    scripts.KEYS, scripts.ARGV = some_keys(count, ...)
  end
  return finish(xpcall(by_digest[digest], handle_error))
end

-- The same with more arguments than Lua's stack takes: they are in `arguments`, a table.
function runner.run_script_long(digest, keys, arguments)
  scripts.KEYS, scripts.ARGV = keys, arguments
  return finish(xpcall(by_digest[digest], handle_error))
end

local function run_function(name, keys, arguments)
  local body = by_name[name]
  support.enter("function")
  local ok, value = xpcall(function()
    local result = body(keys, arguments)
    return result
  end, handle_error)
  support.enter("eval")
  return finish(ok, value)
end

function runner.run_function(name, count, ...)
  return run_function(name, some_keys(count, ...))
end

function runner.run_function_long(name, keys, arguments)
  return run_function(name, keys, arguments)
end

-- Be as before a script that was stopped.
function runner.recover()
  stopped, waiting = nil, nil
  set_hook()
end

runner.result_part = result_part

-- Give the native bridge what it needs of this module, in its order.
function runner.meet_bridge()
  host.adopt(handle_error, stop, build, finish, runner.run_function_long, scripts, by_digest)
end

-- Compile a script; nil, or the message of the syntax error.
function runner.define_script(digest, source)
  local chunk, message = compile(source, "@user_script", support.environments.eval)
  if not chunk then
    return message
  end
  by_digest[digest] = chunk
end

function runner.forget_script(digest)
  by_digest[digest] = nil
end

-- Give the memory of forgotten scripts and of the last one's arguments back: Lua's tables do not become smaller.
function runner.shrink()
  by_digest = copy(by_digest)
  if host.adopt_scripts then
    host.adopt_scripts(by_digest)
  end
  scripts.KEYS, scripts.ARGV = {}, {}
end

-- Libraries of functions ----------------------------------------------------------------------------------------------------

local registered -- functions by name of the library that is being loaded

local function check_name(name)
  if type(name) == "number" then
    name = tostring(name)
  elseif type(name) ~= "string" then
    return nil
  end
  return name
end

local function flag_names(flags)
  local names, index = {}, 1
  while true do
    local flag = rawget(flags, index)
    if flag == nil then
      return concat(names, " ")
    elseif type(flag) ~= "string" then
      raise("ERR unknown flag given")
    end
    names[index], index = flag, index + 1
  end
end

local function register(name, callback, description, flags)
  local problem = host.register(name, description, flags)
  if problem then
    raise(problem)
  end
  registered[name] = callback
end

local function register_named(arguments)
  local name, callback, description, flags
  for key, value in next, arguments do
    if key == "function_name" then
      name = check_name(value)
      if not name then
        raise("ERR function_name argument given to redis.register_function must be a string")
      end
    elseif key == "description" then
      description = check_name(value)
      if not description then
        raise("ERR description argument given to redis.register_function must be a string")
      end
    elseif key == "callback" then
      if type(value) ~= "function" then
        raise("ERR callback argument given to redis.register_function must be a function")
      end
      callback = value
    elseif key == "flags" then
      if type(value) ~= "table" then
        raise("ERR flags argument to redis.register_function must be a table representing function flags")
      end
      flags = flag_names(value)
    else
      raise("ERR unknown argument given to redis.register_function")
    end
  end
  if not name then
    raise("ERR redis.register_function must get a function name argument")
  elseif not callback then
    raise("ERR redis.register_function must get a callback argument")
  end
  register(name, callback, description, flags or "")
end

function registering.register_function(...)
  if not registered then
    raise("ERR redis.register_function can only be called on FUNCTION LOAD command")
  end
  local count = select("#", ...)
  local first, second = ...
  if count < 1 or count > 2 then
    raise("ERR wrong number of arguments to redis.register_function")
  elseif count == 1 then
    if type(first) ~= "table" then
      raise("ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
    end
    return register_named(first)
  end
  local name = check_name(first)
  if not name then
    raise("ERR first argument to redis.register_function must be a string")
  elseif type(second) ~= "function" then
    raise("ERR second argument to redis.register_function must be a function")
  end
  register(name, second, nil, "")
end

local registering_view = protect(registering, function(_, name)
  fail(format("Script attempted to access nonexistent global variable '%s'", tostring(name)))
end)
local everything = copy(functions)
everything._G = functions._G

-- Show the functions' environment as it is while a library is loaded, or as functions find it.
local function show(loading)
  for name in next, everything do
    functions[name] = not loading and everything[name] or nil
  end
  if loading then
    functions.redis = registering_view
  end
end

-- Load a library's code. Returns the message of a syntax error or nil, and that of an error of its run or nil; the
-- functions wait for keep_library or drop_library.
function runner.load_library(source)
  local chunk, message = compile(source, "@user_function", support.environments["function"])
  if not chunk then
    return message
  end
  registered = {}
  show(true)
  support.enter("function")
  local ok, problem = xpcall(chunk, handle_error)
  support.enter("eval")
  show(false)
  if not ok then
    registered = nil
    return nil, type(problem) == "table" and problem.err or "ERR " .. tostring(problem)
  end
end

local libraries = {}

function runner.keep_library(name)
  runner.drop_library(name)
  libraries[name] = registered
  for function_name, callback in next, registered do
    by_name[function_name] = callback
  end
  registered = nil
end

function runner.drop_library(name)
  for function_name in next, libraries[name] or {} do
    by_name[function_name] = nil
  end
  libraries[name] = nil
end

function runner.abandon_library()
  registered = nil
end

set_hook()

return runner
