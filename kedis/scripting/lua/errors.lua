-- Errors of functions that are written in Lua, where Redis has C functions: they name the script's line all the same.
--
-- Every error is raised by `fail`, which walks up to the first frame that is not of this package. C functions of Lua that
-- are called from here (guards.lua) cannot name it, because they look one frame up only.

local OURS = "=[kedis]"
local PURE = "=[kedis:pure]" -- ours as well, of code that may be interrupted anywhere: it leaves nothing half done
local TAIL_CALL = "=(tail call)"

local error, getinfo, rawget, type = error, debug.getinfo, rawget, type
local tonumber, tostring, floor = tonumber, tostring, math.floor
local byte, format, gsub = string.byte, string.format, string.gsub

local support = { OURS = OURS, PURE = PURE }

local function is_ours(source)
  return source == OURS or source == PURE or source == TAIL_CALL
end
support.is_ours = is_ours

-- The level, as getinfo counts for the caller of this function, of the first frame that belongs to a script. One C
-- function below ours is skipped if `through_c`: it has called ours back.
local function script_level(through_c)
  local level = 2
  while true do
    level = level + 1
    local info = getinfo(level, "S")
    if info and info.what == "C" and through_c and info.source ~= TAIL_CALL then
      through_c = false
    elseif not info or not is_ours(info.source) then
      return level - 1, info
    end
  end
end

-- Raise `message` with the position of the script's line before it, as a C function of Lua does.
local function fail(message, through_c)
  local level, info = script_level(through_c)
  if info and info.what ~= "C" then
    info = getinfo(level, "Sl")
    message = format("%s:%d: %s", info.short_src, info.currentline, message)
  end
  error(message, 0)
end

-- What Lua's `error` puts before a message: the position in the function at `level`, the caller's being 1. Frames of ours
-- are not counted, because there are none in Redis.
function support.position(level)
  local real = 2
  while true do
    local info = getinfo(real, "Sl")
    if not info then
      return ""
    elseif info.source ~= OURS and info.source ~= PURE then
      level = level - 1
      if level == 0 then
        return info.currentline > 0 and format("%s:%d: ", info.short_src, info.currentline) or ""
      end
    end
    real = real + 1
  end
end

-- Complain of argument `position` of the function of this package that the script has called. It is named as the script
-- does, and a method's object is not counted.
local function bad_argument(position, message)
  local call = getinfo(script_level() - 1, "n")
  local name = call.name ~= "" and call.name or "?" -- empty: of a tail call
  if call.namewhat == "method" then
    position = position - 1
    if position == 0 then
      fail(format("calling '%s' on bad self (%s)", name, message))
    end
  end
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

-- A number as the machine makes an integer of 64 bits of it: what does not fit is the least.
local function to_integer(number)
  if number ~= number or number >= 2 ^ 63 or number < -2 ^ 63 then
    return -2 ^ 63
  end
  return number < 0 and -floor(-number) or floor(number)
end

-- The lowest 32 bits of it, a C int.
local function to_int(number)
  number = to_integer(number) % 2 ^ 32
  return number >= 2 ^ 31 and number - 2 ^ 32 or number
end

local function check_int(position, count, value)
  return to_int(check_number(position, count, value))
end

-- An error of a Redis function, without a position: a table, which redis.pcall and the error handler understand.
local function raise(text)
  error({ err = text }, 0)
end

support.fail, support.raise, support.bad_argument, support.bad_type = fail, raise, bad_argument, bad_type
support.check_number, support.check_string, support.check_table = check_number, check_string, check_table
support.to_integer, support.to_int, support.check_int = to_integer, to_int, check_int

-- A line of ours before a message: a function of Lua that we have called, or Lua's stack, has failed.
local OUR_POSITION = "^%[kedis[^%]]*%]:%d+: "

-- What a script gets to see of the error value `problem`: one that Python has raised is an object of Python.
local function shown_problem(problem)
  if type(problem) == "userdata" and problem ~= support.null then
    return "internal error"
  elseif type(problem) == "string" and byte(problem) == 91 then
    return (gsub(problem, OUR_POSITION, ""))
  end
  return problem
end
support.shown_problem = shown_problem

-- The frame of the script in which an error has happened: nil, or its source and line.
local function place_of_error()
  local level = 3
  local info = getinfo(level, "Sl")
  if info and info.what == "C" and not is_ours(info.source) then
    level = level + 1
    info = getinfo(level, "Sl")
  end
  while info and is_ours(info.source) do
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return info
end

-- The message handler of every script: an error table that says where it happened.
local function handle_error(problem)
  local info = place_of_error()
  local shown = shown_problem(problem)
  if type(problem) == "string" and shown ~= problem and info and info.what ~= "C" then
    shown = format("%s:%d: %s", info.short_src, info.currentline, shown)
  end
  local report = { source = info and info.source or "", line = info and info.currentline or -1 }
  if type(shown) == "table" then
    report.err = rawget(shown, "err")
    report.ignore_error_stats_update = rawget(shown, "ignore_error_stats_update")
    if type(report.err) == "number" then
      report.err = tostring(report.err)
    elseif type(report.err) ~= "string" then
      report.err = "ERR unknown error"
    end
  else
    report.err = "ERR " .. tostring(shown)
  end
  return report
end
support.handle_error = handle_error

return support
