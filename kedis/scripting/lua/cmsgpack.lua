-- cmsgpack: MessagePack as lua-cmsgpack 0.4.0 packs and unpacks it inside Redis.
--
-- Python's struct makes and reads the bytes of floating-point numbers; everything else is arithmetic on doubles, which
-- hold the integers that Lua can.

local support, host = ...

local fail, bad_argument = support.fail, support.bad_argument
local check_number, check_string = support.check_number, support.check_string
local to_int, to_integer = support.to_int, support.to_integer
local byte, char, concat, sub = string.byte, string.char, table.concat, string.sub
local floor, format, select, type, tostring = math.floor, string.format, select, type, tostring
local rawget, unpack, pairs = rawget, unpack, support.pairs
local pack_float, unpack_float = host.pack_float, host.unpack_float

local MOST_NESTING = 16 -- tables within tables; what is deeper is packed as nil
local MOST_RESULTS = 7000 -- what Lua's stack takes

local MISSING_BYTES = "Missing bytes in input."
local BAD_FORMAT = "Bad data format in input."

-- Packing -----------------------------------------------------------------------------------------------------------

-- `value`, 0 or more, as `width` bytes, the highest first.
local function big_endian(value, width)
  local bytes = {}
  for place = width, 1, -1 do
    local rest = floor(value / 256)
    bytes[place] = char(value - rest * 256)
    value = rest
  end
  return concat(bytes)
end

local function pack_negative(number)
  if number >= -32 then
    return char(256 + number)
  elseif number >= -128 then
    return "\208" .. char(256 + number)
  elseif number >= -32768 then
    return "\209" .. big_endian(65536 + number, 2)
  elseif number >= -2147483648 then
    return "\210" .. big_endian(4294967296 + number, 4)
  end
  -- 2^64 + number would be rounded: complement -(number + 1) byte by byte.
  local bytes, rest = {}, -(number + 1)
  if number < -2 ^ 53 then
    rest = -number -- even, and exact where the sum is not
  end
  local borrow = number < -2 ^ 53
  for place = 8, 1, -1 do
    local digit = rest % 256
    rest = floor(rest / 256)
    if borrow then
      bytes[place] = char((256 - digit) % 256)
      borrow = digit == 0
    else
      bytes[place] = char(255 - digit)
    end
  end
  return "\211" .. concat(bytes)
end

local function pack_number(number)
  if number ~= floor(number) or number >= 2 ^ 63 or number < -2 ^ 63 or number ~= number then
    return pack_float(number)
  elseif number < 0 then
    return pack_negative(number)
  elseif number <= 127 then
    return char(number)
  elseif number <= 255 then
    return "\204" .. char(number)
  elseif number <= 65535 then
    return "\205" .. big_endian(number, 2)
  elseif number <= 4294967295 then
    return "\206" .. big_endian(number, 4)
  end
  return "\207" .. big_endian(number, 8)
end

local function pack_string(text)
  local length = #text
  if length < 32 then
    return char(160 + length) .. text
  elseif length <= 255 then
    return "\217" .. char(length) .. text
  elseif length <= 65535 then
    return "\218" .. big_endian(length, 2) .. text
  end
  return "\219" .. big_endian(length, 4) .. text
end

local function container_header(length, fixed, medium, long)
  if length <= 15 then
    return char(fixed + length)
  elseif length <= 65535 then
    return medium .. big_endian(length, 2)
  end
  return long .. big_endian(length, 4)
end

-- How many keys `t` has, and whether they are 1, 2, … of an array.
local function shape(t)
  local count, most, regular = 0, 0, true
  for key in pairs(t) do
    count = count + 1
    if type(key) ~= "number" or key <= 0 or key ~= floor(key) then
      regular = false
    elseif key > most then
      most = key
    end
  end
  return count, regular and most == count
end

local append

local function append_table(out, t, depth)
  local count, is_array = shape(t)
  if is_array then
    out[#out + 1] = container_header(count, 144, "\220", "\221")
    for index = 1, count do
      append(out, rawget(t, index), depth)
    end
    return
  end
  out[#out + 1] = container_header(count, 128, "\222", "\223")
  for key, value in pairs(t) do
    append(out, key, depth)
    append(out, value, depth)
  end
end

function append(out, value, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = pack_string(value)
  elseif kind == "number" then
    out[#out + 1] = pack_number(value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "\195" or "\194"
  elseif kind == "table" and depth < MOST_NESTING then
    append_table(out, value, depth + 1)
  else
    out[#out + 1] = "\192"
  end
end

-- Unpacking -----------------------------------------------------------------------------------------------------------

local function need(text, position, count)
  if position + count - 1 > #text then
    fail(MISSING_BYTES)
  end
end

local function read_unsigned(text, position, width)
  need(text, position, width)
  local value = 0
  for offset = position, position + width - 1 do
    value = value * 256 + byte(text, offset)
  end
  return value, position + width
end

local function read_signed(text, position, width)
  need(text, position, width)
  if width == 8 then
    return host.unpack_integer(sub(text, position, position + 7)), position + 8
  end
  local value = read_unsigned(text, position, width)
  local limit = 256 ^ width
  return value >= limit / 2 and value - limit or value, position + width
end

local function read_text(text, position, length)
  need(text, position, length)
  return sub(text, position, position + length - 1), position + length
end

local read

local function read_array(text, position, count)
  local array = {}
  for index = 1, count do
    array[index], position = read(text, position)
  end
  return array, position
end

local function read_map(text, position, count)
  local map = {}
  for _ = 1, count do
    local key, value
    key, position = read(text, position)
    value, position = read(text, position)
    if key == nil then
      support.raise_plain("table index is nil")
    elseif key ~= key then
      support.raise_plain("table index is NaN")
    end
    map[key] = value
  end
  return map, position
end

local readers = {
  [0xC0] = function(_, position) return nil, position end,
  [0xC2] = function(_, position) return false, position end,
  [0xC3] = function(_, position) return true, position end,
  [0xCA] = function(text, position)
    need(text, position, 4)
    return unpack_float(sub(text, position, position + 3)), position + 4
  end,
  [0xCB] = function(text, position)
    need(text, position, 8)
    return unpack_float(sub(text, position, position + 7)), position + 8
  end,
  [0xCF] = function(text, position) return read_signed(text, position, 8) end,
}
for step, width in ipairs({ 1, 2, 4 }) do
  readers[0xCB + step] = function(text, position) return read_unsigned(text, position, width) end
  readers[0xD8 + step] = function(text, position)
    local length, after = read_unsigned(text, position, width)
    return read_text(text, after, length)
  end
end
for step, width in ipairs({ 1, 2, 4, 8 }) do
  readers[0xCF + step] = function(text, position) return read_signed(text, position, width) end
end
for step, width in ipairs({ 2, 4 }) do
  readers[0xDB + step] = function(text, position)
    local count, after = read_unsigned(text, position, width)
    return read_array(text, after, count)
  end
  readers[0xDD + step] = function(text, position)
    local count, after = read_unsigned(text, position, width)
    return read_map(text, after, count)
  end
end

-- The value at `position`, and the position behind it.
function read(text, position)
  need(text, position, 1)
  local first = byte(text, position)
  position = position + 1
  if first <= 0x7F then
    return first, position
  elseif first >= 0xE0 then
    return first - 256, position
  elseif first >= 0xA0 and first <= 0xBF then
    return read_text(text, position, first - 0xA0)
  elseif first <= 0x8F then
    return read_map(text, position, first - 0x80)
  elseif first <= 0x9F then
    return read_array(text, position, first - 0x90)
  elseif readers[first] then
    return readers[first](text, position)
  end
  fail(BAD_FORMAT)
end

-- Up to `limit` values from `offset` on; all of them, and no offset before them, if both are 0.
local function unpack_some(text, limit, offset)
  local length = #text
  if offset < 0 or limit < 0 then
    fail(format("Invalid request to unpack with offset of %d and limit of %d.", to_int(offset), length))
  elseif offset > length then
    fail(format("Start offset %d greater than input length %d.", to_int(offset), length))
  end
  local all = limit == 0 and offset == 0
  local values, count, position = {}, 0, offset + 1
  while position <= length and (all or count < limit) do
    count = count + 1
    if count > MOST_RESULTS then
      fail("too many return values at once; use unpack_one or unpack_limit instead.")
    end
    values[count], position = read(text, position)
  end
  if all then
    return unpack(values, 1, count)
  end
  return position > length and -1 or position - 1, unpack(values, 1, count)
end

-- The functions ---------------------------------------------------------------------------------------------------------

local function check_integer(position, count, value)
  return to_integer(check_number(position, count, value))
end

local function optional_integer(position, count, value)
  return value == nil and 0 or check_integer(position, count, value)
end

local library = {
  _NAME = "cmsgpack",
  _VERSION = "lua-cmsgpack 0.4.0",
  _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

function library.pack(...)
  local count = select("#", ...)
  if count == 0 then
    bad_argument(0, "MessagePack pack needs input.")
  end
  local out = {}
  for index = 1, count do
    append(out, (select(index, ...)), 0)
  end
  return concat(out)
end

function library.unpack(...)
  return unpack_some(check_string(1, select("#", ...), (...)), 0, 0)
end

function library.unpack_one(...)
  local text, offset = ...
  local count = select("#", ...)
  text = check_string(1, count, text)
  return unpack_some(text, 1, optional_integer(2, count, offset))
end

function library.unpack_limit(...)
  local text, limit, offset = ...
  local count = select("#", ...)
  text = check_string(1, count, text)
  limit = check_integer(2, count, limit)
  return unpack_some(text, limit, optional_integer(3, count, offset))
end

return library
