-- bit and struct: what they are asked goes to Python, whose integers are exact; what is wrong with the arguments is
-- said here, where the position of the script's line is known.

local support, host = ...

local fail, bad_argument = support.fail, support.bad_argument
local check_number, check_string = support.check_number, support.check_string
local select, type, unpack = select, type, unpack

-- bit: operations on the lowest 32 bits of a number --------------------------------------------------------------------

local bit = {}

-- The first `wanted` arguments as numbers: the first is looked at first, then the last.
local function numbers(wanted, ...)
  local count = select("#", ...)
  local values = { ... }
  values[1] = check_number(1, count, values[1])
  for index = wanted, 2, -1 do
    values[index] = check_number(index, count, values[index])
  end
  return values
end

local function define(name, least, most)
  local operation = host["bit_" .. name]
  bit[name] = function(...)
    local a, b = ...
    if select("#", ...) <= 2 and type(a) == "number" and type(b) == "number" then
      if most == 1 then
        return (operation(a))
      end
      return (operation(a, b))
    end
    local wanted = select("#", ...)
    wanted = wanted < least and least or wanted > most and most or wanted
    return (operation(unpack(numbers(wanted, ...), 1, wanted)))
  end
end

for _, name in ipairs({ "tobit", "bnot", "bswap" }) do
  define(name, 1, 1)
end
for _, name in ipairs({ "lshift", "rshift", "arshift", "rol", "ror" }) do
  define(name, 2, 2)
end
for _, name in ipairs({ "band", "bor", "bxor" }) do
  define(name, 1, 7000)
end

function bit.tohex(...)
  local number, digits = ...
  local count = select("#", ...)
  number = check_number(1, count, number)
  digits = digits == nil and 8 or check_number(2, count, digits)
  return (host.bit_tohex(number, digits))
end

-- struct: numbers and strings in C's layouts ---------------------------------------------------------------------------

local struct = {}

-- Raise the fault that Python has found: what is wrong, with the number of the argument that is to blame, if one is.
local function blame(message, position)
  support.look_at_clock()
  if position then
    bad_argument(position, message)
  end
  fail(message)
end

function struct.pack(...)
  local count = select("#", ...)
  local values = { ... }
  values[1] = check_string(1, count, values[1])
  for index = 2, count do -- Python would take a negative zero for a zero
    local value = values[index]
    if value == 0 and 1 / value < 0 then
      values[index] = "-0"
    end
  end
  local packed, message, position = host.struct_pack(unpack(values, 1, count))
  if packed == nil then
    blame(message, position)
  end
  return packed
end

function struct.unpack(...)
  local layout, text, offset = ...
  local count = select("#", ...)
  layout = check_string(1, count, layout)
  text = check_string(2, count, text)
  offset = offset == nil and 1 or check_number(3, count, offset)
  local results = { host.struct_unpack(layout, text, offset) }
  if results[1] == nil then
    blame(results[2], results[3])
  end
  return unpack(results)
end

function struct.size(...)
  local size, message, position = host.struct_size(check_string(1, select("#", ...), (...)))
  if size == nil then
    blame(message, position)
  end
  return size
end

return bit, struct
