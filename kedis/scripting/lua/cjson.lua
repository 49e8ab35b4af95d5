-- cjson: JSON as lua-cjson 2.1.0 encodes and decodes it inside Redis, option by option and text by text.
--
-- encode gathers pieces in a list and joins them once; decode walks over the text with anchored patterns. Both are
-- O(N) in the length of the text.

local support = ...

local fail, bad_argument, bad_type = support.fail, support.bad_argument, support.bad_type
local check_int, check_string = support.check_int, support.check_string
local concat, format, type, tonumber, tostring, select = table.concat, string.format, type, tonumber, tostring, select
local byte, char, find, gsub, match, sub = string.byte, string.char, string.find, string.gsub, string.match, string.sub
local floor, gmatch, ldexp, rawget = math.floor, string.gmatch, math.ldexp, rawget
local null, pairs = support.null, support.pairs

local MOST_INTEGER = 2147483647

-- Encoding --------------------------------------------------------------------------------------------------------

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f" }
escapes["\n"], escapes["\r"], escapes["\t"], escapes["\127"] = "\\n", "\\r", "\\t", "\\u007f"
for code = 0, 31 do
  escapes[char(code)] = escapes[char(code)] or format("\\u%04x", code)
end

local function quote(text)
  return '"' .. gsub(text, '[%c"\\/\127]', escapes) .. '"'
end

local function encode_number(options, number)
  if number ~= number or number == 1 / 0 or number == -1 / 0 then
    if options.encode_invalid == "null" then
      return "null"
    elseif not options.encode_invalid then
      fail("Cannot serialise number: must not be NaN or Inf")
    end
    return number ~= number and "nan" or number < 0 and "-inf" or "inf"
  end
  return format(options.number_format, number)
end

-- The length of `t` as an array, or nil if it is an object. The last return value tells what is wrong with it.
local function array_length(options, t)
  local most, items = 0, 0
  for key in pairs(t) do
    if type(key) ~= "number" or key <= 0 or floor(key) ~= key then
      return nil
    end
    if key > most then
      most = key < 2147483648 and key or -2147483648 -- as a C int has it
    end
    items = items + 1
  end
  local ratio = options.sparse_ratio
  if ratio > 0 and most > items * ratio and most > options.sparse_safe then
    if not options.sparse_convert then
      fail("Cannot serialise table: excessively sparse array")
    end
    return nil
  end
  return most > 0 and most or nil
end

local append

local function append_array(options, out, t, length, depth)
  out[#out + 1] = "["
  for index = 1, length do
    if index > 1 then
      out[#out + 1] = ","
    end
    append(options, out, rawget(t, index), depth)
  end
  out[#out + 1] = "]"
end

local function append_object(options, out, t, depth)
  local separator = "{"
  for key, value in pairs(t) do
    if type(key) == "number" then
      out[#out + 1] = separator .. '"' .. encode_number(options, key) .. '":'
    elseif type(key) == "string" then
      out[#out + 1] = separator .. quote(key) .. ":"
    else
      fail(format("Cannot serialise %s: table key must be a number or string", type(key)))
    end
    separator = ","
    append(options, out, value, depth)
  end
  out[#out + 1] = separator == "{" and "{}" or "}"
end

function append(options, out, value, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = quote(value)
  elseif kind == "number" then
    out[#out + 1] = encode_number(options, value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif kind == "table" then
    depth = depth + 1
    if depth > options.encode_depth then
      fail(format("Cannot serialise, excessive nesting (%d)", depth))
    end
    local length = array_length(options, value)
    if length then
      append_array(options, out, value, length, depth)
    else
      append_object(options, out, value, depth)
    end
  elseif value == nil or value == null then
    out[#out + 1] = "null"
  else
    fail(format("Cannot serialise %s: type not supported", kind))
  end
end

local function encode(options, ...)
  if select("#", ...) ~= 1 then
    bad_argument(1, "expected 1 argument")
  end
  local out = {}
  append(options, out, (...), 0)
  return concat(out)
end

-- Decoding --------------------------------------------------------------------------------------------------------

local tokens = {
  ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END", ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END",
  [":"] = "T_COLON", [","] = "T_COMMA", ['"'] = "T_STRING",
}
local words = { ["true"] = true, ["false"] = false, ["null"] = null }
local plain = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ["/"] = "/", ["\\"] = "\\", ['"'] = '"' }

-- A number at `position`, as strtod reads it: its value and the position behind it.
local function read_number(text, position)
  local _, last = find(text, "^[+-]?0[xX]%x*%.?%x*", position)
  if last and find(text, "^[+-]?0[xX]%.?%x", position) then
    local _, exponent = find(text, "^[pP][+-]?%d+", last + 1)
    last = exponent or last
    local sign, whole, part, power = match(sub(text, position, last), "^([+-]?)0[xX](%x*)%.?(%x*)[pP]?([+-]?%d*)$")
    local value = 0
    for digit in gmatch(whole .. part, "%x") do
      value = value * 16 + tonumber(digit, 16)
    end
    value = ldexp(value, (tonumber(power) or 0) - 4 * #part)
    return sign == "-" and -value or value, last + 1
  end
  _, last = find(text, "^[+-]?%d+%.?%d*", position)
  if not last then
    _, last = find(text, "^[+-]?%.%d+", position)
  end
  if last then
    local _, exponent = find(text, "^[eE][+-]?%d+", last + 1)
    last = exponent or last
    local digits = sub(text, position, last)
    local value = tonumber(digits) or tonumber((gsub(digits, "^%+", "")))
    return value, last + 1
  end
  local sign, rest = match(text, "^([+-]?)(%a+)", position)
  local word = rest and rest:lower()
  local start = position + #(sign or "")
  if word and sub(word, 1, 8) == "infinity" then
    return sign == "-" and -1 / 0 or 1 / 0, start + 8
  elseif word and sub(word, 1, 3) == "inf" then
    return sign == "-" and -1 / 0 or 1 / 0, start + 3
  elseif word and sub(word, 1, 3) == "nan" then
    local _, comment = find(text, "^%([%w_]*%)", start + 3)
    local nan = 0 / 0 -- the hardware's, whose sign is set
    return sign == "-" and nan or -nan, (comment or start + 2) + 1
  end
  return nil, position
end

local function code_point(state, position)
  local digits = match(state.text, "^\\u(%x%x%x%x)", position)
  return digits and tonumber(digits, 16)
end

local function utf8(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 64), 0x80 + code % 64)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

-- The character that the \u escape at `position` means, and the position behind it; nil for no such character.
local function read_unicode(state, position)
  local code = code_point(state, position)
  if not code or (code >= 0xDC00 and code <= 0xDFFF) then
    return nil
  elseif code < 0xD800 or code > 0xDBFF then
    return utf8(code), position + 6
  end
  local trail = code_point(state, position + 6)
  if not trail or trail < 0xDC00 or trail > 0xDFFF then
    return nil
  end
  return utf8(0x10000 + (code - 0xD800) * 1024 + trail - 0xDC00), position + 12
end

-- The string whose first character is at `position`: its value and the position behind the closing quote, or nil, the
-- position of the fault and its name.
local function read_string(state, position)
  local text = state.text
  local _, last = find(text, '^[^"\\%z]*', position)
  if byte(text, last + 1) == 34 then
    return sub(text, position, last), last + 2
  end
  local parts = {}
  while true do
    parts[#parts + 1] = sub(text, position, last)
    local found = sub(text, last + 1, last + 1)
    if found == '"' then
      return concat(parts), last + 2
    elseif found ~= "\\" then
      return nil, last + 1, "unexpected end of string"
    end
    local letter = sub(text, last + 2, last + 2)
    if letter == "u" then
      parts[#parts + 1], position = read_unicode(state, last + 1)
      if not position then
        return nil, last + 1, "invalid unicode escape code"
      end
    elseif plain[letter] then
      parts[#parts + 1] = plain[letter]
      position = last + 3
    else
      return nil, last + 1, "invalid escape code"
    end
    _, last = find(text, '^[^"\\%z]*', position)
  end
end

local function is_plain_number(text, position)
  return not (
    find(text, "^-?0[xX%d]", position) or find(text, "^-?[iInN]", position)
  )
end

-- Read the token that begins behind the white space at `position`: its name, its value, where it begins, where the
-- next one may. Names that are no token's are descriptions of a fault.
local function read_token(state, position)
  local text = state.text
  position = match(text, "^[ \t\n\r]*()", position)
  local first = sub(text, position, position)
  if first == '"' then
    local value, after, fault = read_string(state, position + 1)
    if fault then
      return fault, nil, after
    end
    return "T_STRING", value, position, after
  elseif tokens[first] then
    return tokens[first], nil, position, position + 1
  elseif first == "" or first == "\0" then
    return "T_END", nil, position, position
  elseif find(first, "[%d-]") then
    if not state.options.decode_invalid and not is_plain_number(text, position) then
      return "invalid number", nil, position
    end
    local value, after = read_number(text, position)
    if not value then
      return "invalid number", nil, position
    end
    return "T_NUMBER", value, position, after
  end
  local word = match(text, "^true", position) or match(text, "^false", position) or match(text, "^null", position)
  if word then
    return "word", words[word], position, position + #word
  elseif state.options.decode_invalid and (find(text, "^%+", position) or find(text, "^[iInN]", position)) then
    local value, after = read_number(text, position)
    if value then
      return "T_NUMBER", value, position, after
    end
  end
  return "invalid token", nil, position
end

local word_names = { [true] = "T_BOOLEAN", [false] = "T_BOOLEAN", [null] = "T_NULL" }

local function expect(expected, token, value, position)
  if token == "word" then
    token = word_names[value]
  end
  fail(format("Expected %s but found %s at character %d", expected, token, position))
end

local read_value

local function descend(state, position)
  state.depth = state.depth + 1
  if state.depth > state.options.decode_depth then
    fail(format("Found too many nested data structures (%d) at character %d", state.depth, position))
  end
end

local function read_array(state, begin)
  descend(state, begin)
  local array, count = {}, 0
  local token, value, position, after = read_token(state, begin + 1)
  if token ~= "T_ARR_END" then
    while true do
      value, after = read_value(state, token, value, position, after)
      count = count + 1
      array[count] = value
      token, value, position, after = read_token(state, after)
      if token == "T_ARR_END" then
        break
      elseif token ~= "T_COMMA" then
        expect("comma or array end", token, value, position)
      end
      token, value, position, after = read_token(state, after)
    end
  end
  state.depth = state.depth - 1
  return array, after
end

local function read_object(state, begin)
  descend(state, begin)
  local object = {}
  local token, value, position, after = read_token(state, begin + 1)
  if token ~= "T_OBJ_END" then
    while true do
      if token ~= "T_STRING" then
        expect("object key string", token, value, position)
      end
      local key = value
      token, value, position, after = read_token(state, after)
      if token ~= "T_COLON" then
        expect("colon", token, value, position)
      end
      object[key], after = read_value(state, read_token(state, after))
      token, value, position, after = read_token(state, after)
      if token == "T_OBJ_END" then
        break
      elseif token ~= "T_COMMA" then
        expect("comma or object end", token, value, position)
      end
      token, value, position, after = read_token(state, after)
    end
  end
  state.depth = state.depth - 1
  return object, after
end

function read_value(state, token, value, position, after)
  if token == "T_STRING" or token == "T_NUMBER" or token == "word" then
    return value, after
  elseif token == "T_ARR_BEGIN" then
    return read_array(state, position)
  elseif token == "T_OBJ_BEGIN" then
    return read_object(state, position)
  end
  expect("value", token, value, position)
end

local function decode(options, ...)
  local count = select("#", ...)
  if count ~= 1 then
    bad_argument(1, "expected 1 argument")
  end
  local text = check_string(1, count, (...))
  if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
    fail("JSON parser does not support UTF-16 or UTF-32")
  end
  local state = { text = text, options = options, depth = 0 }
  local value, after = read_value(state, read_token(state, 1))
  local token, extra, position = read_token(state, after)
  if token ~= "T_END" then
    expect("the end", token, extra, position)
  end
  return value
end

-- Options ---------------------------------------------------------------------------------------------------------

local function check_count(most, ...)
  if select("#", ...) > most then
    bad_argument(most + 1, "found too many arguments")
  end
end

local function integer_option(options, name, least, most, position, count, value)
  if value ~= nil then
    local number = check_int(position, count, value)
    if number < least or number > most then
      bad_argument(1, format("expected integer between %d and %d", least, most))
    end
    options[name] = number
  end
  return options[name]
end

local switches = { on = true, off = false }

local function switch_option(options, name, value, special)
  if value ~= nil then
    if type(value) == "boolean" then
      options[name] = value
    elseif type(value) == "string" and (switches[value] ~= nil or value == special) then
      if value == special then
        options[name] = value
      else
        options[name] = switches[value]
      end
    elseif type(value) == "string" or type(value) == "number" then
      bad_argument(1, format("invalid option '%s'", tostring(value)))
    else
      bad_type(1, "string", 1, value)
    end
  end
  return options[name]
end

local function new()
  local options = {
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10, encode_depth = 1000, decode_depth = 1000,
    precision = 14, number_format = "%.14g", keep_buffer = true, encode_invalid = false, decode_invalid = true,
  }
  local library = { _NAME = "cjson", _VERSION = "2.1.0", null = null }

  function library.encode(...)
    local text = encode(options, ...)
    return text
  end

  function library.decode(...)
    local value = decode(options, ...)
    return value
  end

  function library.encode_sparse_array(...)
    check_count(3, ...)
    local convert, ratio, safe = ...
    local count = select("#", ...)
    convert = switch_option(options, "sparse_convert", convert)
    ratio = integer_option(options, "sparse_ratio", 0, MOST_INTEGER, 2, count, ratio)
    safe = integer_option(options, "sparse_safe", 0, MOST_INTEGER, 3, count, safe)
    return convert, ratio, safe
  end

  function library.encode_max_depth(...)
    check_count(1, ...)
    local depth = integer_option(options, "encode_depth", 1, MOST_INTEGER, 1, select("#", ...), (...))
    return depth
  end

  function library.decode_max_depth(...)
    check_count(1, ...)
    local depth = integer_option(options, "decode_depth", 1, MOST_INTEGER, 1, select("#", ...), (...))
    return depth
  end

  function library.encode_number_precision(...)
    check_count(1, ...)
    local precision = integer_option(options, "precision", 1, 14, 1, select("#", ...), (...))
    options.number_format = format("%%.%dg", precision)
    return precision
  end

  function library.encode_keep_buffer(...)
    check_count(1, ...)
    local keep = switch_option(options, "keep_buffer", (...))
    return keep
  end

  function library.encode_invalid_numbers(...)
    check_count(1, ...)
    local mode = switch_option(options, "encode_invalid", (...), "null")
    return mode
  end

  function library.decode_invalid_numbers(...)
    check_count(1, ...)
    local mode = switch_option(options, "decode_invalid", (...))
    return mode
  end

  library.new = new
  return library
end

return new()
