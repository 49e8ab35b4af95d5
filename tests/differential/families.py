"""What follows the name of each command that works on keys, family by family (see :mod:`.vocabulary`)."""

from __future__ import annotations

from tests.differential import vocabulary as v
from tests.differential.vocabulary import Part, counted, form, maybe, options, some

STRINGS: dict[str, Part] = {
    "get": v.STRING,
    "set": form(
        v.STRING,
        v.VALUE,
        options(
            *(b"NX", b"XX", b"GET", b"KEEPTTL", b"xx", b"keepttl"),
            *(form(b"EX", v.IN_S), form(b"PX", v.IN_MS), form(b"EXAT", v.AT_S), form(b"PXAT", v.AT_MS)),
        ),
    ),
    "setnx": form(v.STRING, v.VALUE),
    "setex": form(v.STRING, v.IN_S, v.VALUE),
    "psetex": form(v.STRING, v.IN_MS, v.VALUE),
    "getset": form(v.STRING, v.VALUE),
    "getdel": v.STRING,
    "getex": form(
        v.STRING,
        options(
            *(
                b"PERSIST",
                form(b"EX", v.IN_S),
                form(b"PX", v.IN_MS),
                form(b"EXAT", v.AT_S),
                form(b"PXAT", v.AT_MS),
            ),
        ),
    ),
    "mget": some(v.STRING),
    "mset": some(v.STRING, v.VALUE),
    "msetnx": some((v.STRING, v.ODD_KEYS), v.VALUE),
    "incr": v.STRING,
    "decr": v.STRING,
    "incrby": form(v.STRING, v.DELTA),
    "decrby": form(v.STRING, v.DELTA),
    "incrbyfloat": form(v.STRING, v.FLOAT),
    "append": form(v.STRING, v.VALUE),
    "strlen": v.STRING,
    "setrange": form(
        v.STRING, (b"0", b"1", b"5", b"20", b"-1", b"536870912", v.MAX, v.MIN, b"x", b""), v.VALUE
    ),
    "getrange": form(v.STRING, v.INDEX, v.INDEX),
    "substr": form(v.STRING, v.INDEX, v.INDEX),
    "lcs": form(
        v.STRING,
        v.STRING,
        options(b"LEN", b"IDX", b"IDX", b"WITHMATCHLEN", form(b"MINMATCHLEN", v.COUNT)),
    ),
}

_SIDE: Part = (b"LEFT", b"RIGHT", b"left", b"RIGHT", b"LEFT", b"right", b"UP", b"")
#: Where nothing is there to take, the comparison does not sit the time out.
_TIMEOUT: Part = (b"0", b"0.01", b"0", b"1", b"5.5", b"-1", b"x", b"inf")
LISTS: dict[str, Part] = {
    "lpush": form(v.LIST, some(v.MEMBER, most=5)),
    "rpush": form(v.LIST, some(v.MEMBER, most=5)),
    "lpushx": form(v.LIST, some(v.MEMBER)),
    "rpushx": form(v.LIST, some(v.MEMBER)),
    "lpop": form(v.LIST, maybe(v.COUNT)),
    "rpop": form(v.LIST, maybe(v.COUNT)),
    "llen": v.LIST,
    "lrange": form(v.LIST, v.INDEX, v.INDEX),
    "lindex": form(v.LIST, v.INDEX),
    "lset": form(v.LIST, v.INDEX, v.MEMBER),
    "linsert": form(v.LIST, (b"BEFORE", b"AFTER", b"before", b"MIDDLE"), v.MEMBER, v.MEMBER),
    "lrem": form(v.LIST, v.COUNT, v.MEMBER),
    "ltrim": form(v.LIST, v.INDEX, v.INDEX),
    "rpoplpush": form(v.LIST, v.LIST),
    "lmove": form(v.LIST, v.LIST, _SIDE, _SIDE),
    "lmpop": form(counted(v.LIST), _SIDE, maybe(b"COUNT", v.COUNT)),
    "blpop": form(some(v.LIST), _TIMEOUT),
    "brpop": form(some(v.LIST), _TIMEOUT),
    "brpoplpush": form(v.LIST, v.LIST, _TIMEOUT),
    "blmove": form(v.LIST, v.LIST, _SIDE, _SIDE, _TIMEOUT),
    "blmpop": form(_TIMEOUT, counted(v.LIST), _SIDE, maybe(b"COUNT", v.COUNT)),
    "lpos": form(
        v.LIST,
        v.MEMBER,
        options(form(b"RANK", v.COUNT), form(b"COUNT", v.COUNT), form(b"MAXLEN", v.COUNT)),
    ),
}

_SCAN = options(form(b"MATCH", v.PATTERN), form(b"COUNT", v.COUNT))
SETS: dict[str, Part] = {
    "sadd": form(v.SET, some(v.MEMBER, most=6)),
    "srem": form(v.SET, some(v.MEMBER)),
    "smove": form(v.SET, v.SET, v.MEMBER),
    "sismember": form(v.SET, v.MEMBER),
    "smismember": form(v.SET, some(v.MEMBER)),
    "scard": v.SET,
    "smembers": v.SET,
    "spop": form(v.SET, maybe(v.COUNT)),
    "srandmember": form(v.SET, maybe(v.COUNT)),
    "sscan": form(v.SET, v.CURSOR, _SCAN),
    "sinter": some(v.SET),
    "sunion": some(v.SET),
    "sdiff": some(v.SET),
    "sinterstore": form(v.SET, some(v.SET)),
    "sunionstore": form(v.SET, some(v.SET)),
    "sdiffstore": form(v.SET, some(v.SET)),
    "sintercard": form(counted(v.SET), maybe(b"LIMIT", v.COUNT)),
}

HASHES: dict[str, Part] = {
    "hset": form(v.HASH, some(v.FIELD, v.VALUE, most=4)),
    "hmset": form(v.HASH, some(v.FIELD, v.VALUE)),
    "hsetnx": form(v.HASH, v.FIELD, v.VALUE),
    "hget": form(v.HASH, v.FIELD),
    "hmget": form(v.HASH, some(v.FIELD)),
    "hgetall": v.HASH,
    "hkeys": v.HASH,
    "hvals": v.HASH,
    "hlen": v.HASH,
    "hstrlen": form(v.HASH, v.FIELD),
    "hexists": form(v.HASH, v.FIELD),
    "hdel": form(v.HASH, some(v.FIELD)),
    "hincrby": form(v.HASH, v.FIELD, v.DELTA),
    "hincrbyfloat": form(v.HASH, v.FIELD, v.FLOAT),
    "hrandfield": form(v.HASH, maybe(v.COUNT, maybe((b"WITHVALUES", b"withvalues", b"WITHSCORES")))),
    "hscan": form(v.HASH, v.CURSOR, _SCAN),
}

_WITHSCORES = maybe((b"WITHSCORES", b"withscores", b"WITHVALUES"))
_AGGREGATE: Part = (
    form(b"WEIGHTS", some(v.FLOAT)),
    form(b"WEIGHTS", b"2"),
    form(b"WEIGHTS", b"2", b"-1"),
    form(b"WEIGHTS", b"1", b"inf", b"0"),
    form(b"AGGREGATE", (b"SUM", b"MIN", b"MAX", b"min", b"AVG")),
)
_BY_RANK = form(v.INDEX, v.INDEX, options(b"REV", v.LIMIT))
_BY_SCORE = form(v.SCORE_BOUND, v.SCORE_BOUND, b"BYSCORE", options(b"REV", v.LIMIT))
_BY_LEX = form(v.LEX_BOUND, v.LEX_BOUND, b"BYLEX", options(b"REV", v.LIMIT))
_ANY_RANGE: Part = (_BY_RANK, _BY_SCORE, form(v.INDEX, v.INDEX, options(b"BYSCORE", b"REV", b"LIMIT")))
_SOME_SORTED = counted(v.SORTED_OR_SET)
_ENDS: Part = (b"MIN", b"MAX", b"min", b"max", b"MIN", b"MAX", b"MID")
_ADD = form(
    v.SORTED,
    (form(), form(), options(b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR", b"xx", b"ch")),
    some(v.SCORE, v.MEMBER, most=5),
)
SORTED_SETS: dict[str, Part] = {
    "zadd": (_ADD, _ADD, form(v.LEX_KEYS, some(b"0", v.MEMBER, most=5))),
    "zincrby": form(v.SORTED, v.SCORE, v.MEMBER),
    "zrem": form(v.SORTED, some(v.MEMBER)),
    "zcard": v.SORTED,
    "zscore": form(v.SORTED, v.MEMBER),
    "zmscore": form(v.SORTED, some(v.MEMBER)),
    "zrank": form(v.SORTED, v.MEMBER),
    "zrevrank": form(v.SORTED, v.MEMBER),
    "zcount": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND),
    "zlexcount": form(v.LEX_KEYS, v.LEX_BOUND, v.LEX_BOUND),
    "zrange": (
        form(v.SORTED, _ANY_RANGE, _WITHSCORES),
        form(v.SORTED, _ANY_RANGE, _WITHSCORES),
        form(v.LEX_KEYS, _BY_LEX, _WITHSCORES),
    ),
    "zrangestore": (
        form(v.SORTED, v.SORTED, _ANY_RANGE),
        form(v.SORTED, v.SORTED, _ANY_RANGE),
        form((v.LEX_KEYS[:2], v.SORTED), v.LEX_KEYS, _BY_LEX),
    ),
    "zrangebyscore": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND, options(b"WITHSCORES", v.LIMIT)),
    "zrevrangebyscore": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND, options(b"WITHSCORES", v.LIMIT)),
    "zrangebylex": form(v.LEX_KEYS, v.LEX_BOUND, v.LEX_BOUND, options(v.LIMIT)),
    "zrevrangebylex": form(v.LEX_KEYS, v.LEX_BOUND, v.LEX_BOUND, options(v.LIMIT)),
    "zrevrange": form(v.SORTED, v.INDEX, v.INDEX, _WITHSCORES),
    "zremrangebyrank": form(v.SORTED, v.INDEX, v.INDEX),
    "zremrangebyscore": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND),
    "zremrangebylex": form(v.LEX_KEYS, v.LEX_BOUND, v.LEX_BOUND),
    "zpopmin": form(v.SORTED, maybe(v.COUNT)),
    "zpopmax": form(v.SORTED, maybe(v.COUNT)),
    "zmpop": form(counted(v.SORTED), _ENDS, maybe(b"COUNT", v.COUNT)),
    "bzpopmin": form(some(v.SORTED), _TIMEOUT),
    "bzpopmax": form(some(v.SORTED), _TIMEOUT),
    "bzmpop": form(_TIMEOUT, counted(v.SORTED), _ENDS, maybe(b"COUNT", v.COUNT)),
    "zrandmember": form(v.SORTED, maybe(v.COUNT, _WITHSCORES)),
    "zscan": form(v.SORTED, v.CURSOR, _SCAN),
    "zunion": form(_SOME_SORTED, options(_AGGREGATE, b"WITHSCORES")),
    "zinter": form(_SOME_SORTED, options(_AGGREGATE, b"WITHSCORES")),
    "zdiff": form(_SOME_SORTED, _WITHSCORES),
    "zunionstore": form(v.SORTED, _SOME_SORTED, options(_AGGREGATE)),
    "zinterstore": form(v.SORTED, _SOME_SORTED, options(_AGGREGATE)),
    "zdiffstore": form(v.SORTED, _SOME_SORTED),
    "zintercard": form(_SOME_SORTED, maybe(b"LIMIT", v.COUNT)),
}

_CONDITION = options(b"NX", b"XX", b"GT", b"LT", b"gt")
_SORTED: Part = (v.LIST, v.SET, v.SORTED)
_NAMED_AFTER: Part = (
    b"str:*",
    b"*",
    b"hash:*->f1",
    b"hash:*->f2",
    b"hash:*->",
    b"list:*",
    b"#",
    b"str:1",
    b"->*",
)
_SORT_GET = form(b"GET", _NAMED_AFTER)
_LIMIT = form(b"LIMIT", v.INDEX, v.INDEX)
_SORT: Part = (
    options(b"ASC", b"DESC", b"ALPHA", _LIMIT, b"alpha", form(b"BY", b"nosort")),
    options(b"desc", _LIMIT, _SORT_GET, form(b"BY", _NAMED_AFTER), form(b"LIMIT", b"1"), b"x"),
)
# It is left to chance which of two alike comes first here, so nothing is stored or cut off.
_SORT_WORDS = form(b"ALPHA", b"BY", _NAMED_AFTER, options(_SORT_GET, b"DESC"))
KEYS: dict[str, Part] = {
    "sort": (
        form(_SORTED, _SORT, maybe(form(b"STORE", (v.LIST, v.LIST, v.SET)))),
        form(_SORTED, _SORT_WORDS),
    ),
    "sort_ro": form(_SORTED, (_SORT, _SORT_WORDS), maybe(maybe(form(b"STORE", v.LIST)))),
    "del": some(v.ANY),
    "unlink": some(v.ANY),
    "exists": some(v.ANY),
    "touch": some(v.ANY),
    "type": v.ANY,
    "keys": v.PATTERN,
    "randomkey": form(),
    "rename": form(v.ANY, v.ANY),
    "renamenx": form(v.ANY, v.ANY),
    "copy": form(v.ANY, v.ANY, options(b"REPLACE", b"replace", form(b"DB", v.DATABASE))),
    "move": form(v.ANY, v.DATABASE),
    "scan": form(
        v.CURSOR,
        options(
            *(form(b"MATCH", v.PATTERN), form(b"COUNT", v.COUNT)),
            form(b"TYPE", (b"string", b"zset", b"HASH", b"list", b"set", b"x")),
        ),
    ),
    "expire": form(v.ANY, v.IN_S, _CONDITION),
    "pexpire": form(v.ANY, v.IN_MS, _CONDITION),
    "expireat": form(v.ANY, v.AT_S, _CONDITION),
    "pexpireat": form(v.ANY, v.AT_MS, _CONDITION),
    "ttl": v.ANY,
    "pttl": v.ANY,
    "expiretime": v.ANY,
    "pexpiretime": v.ANY,
    "persist": v.ANY,
    "object": (b"NOSUCH", form(), form(b"ENCODING", v.ANY, v.ANY)),
    "object|encoding": v.ANY,
    "object|refcount": v.ANY,
    "object|idletime": v.ANY,
    "object|freq": v.ANY,
    "object|help": form(),
}

_BIT: Part = (b"0", b"1", b"0", b"1", b"2", b"-1", b"x")
_OFFSET = (
    b"0",
    b"1",
    b"7",
    b"8",
    b"9",
    b"100",
    b"-1",
    b"4294967296",
    v.MAX,
    v.MIN,
    b"x",
    b"",
    b"#1",
    b" 1",
    b"1.0",
)
_BIT_RANGE: Part = (
    form(),
    form(v.INDEX),
    form(v.INDEX, v.INDEX),
    form(v.INDEX, v.INDEX, (b"BIT", b"BYTE", b"bit", b"x")),
)
_WIDTH = (
    b"u8",
    b"i8",
    b"u1",
    b"i16",
    b"u63",
    b"i64",
    b"U4",
    b"u64",
    b"i65",
    b"u0",
    b"x8",
    b"i",
    b"u+8",
    b"u08",
)
_READ_FIELD = form((b"GET", b"get"), _WIDTH, (_OFFSET, b"#1", b"#2", b"#x", b"#-1"))
BITS: dict[str, Part] = {
    "setbit": form(v.STRING, _OFFSET, _BIT),
    "getbit": form(v.STRING, _OFFSET),
    "bitcount": form(v.STRING, _BIT_RANGE),
    "bitpos": form(v.STRING, _BIT, _BIT_RANGE),
    "bitop": form((b"AND", b"OR", b"XOR", b"NOT", b"not", b"NAND"), v.STRING, some(v.STRING)),
    "bitfield": form(
        v.STRING,
        some(
            (
                _READ_FIELD,
                form(b"SET", _WIDTH, (_OFFSET, b"#1"), v.DELTA),
                form(b"INCRBY", _WIDTH, (_OFFSET, b"#1"), v.DELTA),
                form(b"OVERFLOW", (b"WRAP", b"SAT", b"FAIL", b"wrap", b"x")),
            ),
            least=0,
            most=4,
        ),
    ),
    "bitfield_ro": form(v.STRING, some((_READ_FIELD, _READ_FIELD, form(b"SET", b"u8", b"0", b"1")), least=0)),
}

_SKETCH: Part = ((b"hll:1", b"hll:2", b"hll:3"), (b"hll:1", b"hll:2", b"hll:3"), v.STRING_KEYS, v.KEYS)
HYPERLOGLOGS: dict[str, Part] = {
    "pfadd": form(_SKETCH, some(v.VALUE, least=0, most=6)),
    "pfcount": some(_SKETCH),
    "pfmerge": form(_SKETCH, some(_SKETCH, least=0)),
}

_PLACE: Part = ((b"geo:1", b"geo:2"), (b"geo:1", b"geo:2"), (b"geo:1", b"geo:2"), v.SORTED_KEYS, v.KEYS)
_POINT: Part = (
    form(b"13.361389", b"38.115556"),
    form(b"15.087269", b"37.502669"),
    form(b"13.5", b"38"),
    form(b"-122.4", b"37.8"),
    form(b"179.99", b"0"),
    form(b"-179.99", b"0"),
    form(b"0", b"85"),
    form(b"0", b"-85.05112878"),
    form(b"181", b"0"),
    form(b"0", b"86"),
    form(b"x", b"1"),
    form(v.FLOAT, v.FLOAT),
)
_LENGTH = (b"100", b"200", b"1000", b"20000", b"0", b"0.5", b"5", b"-1", b"x", b"nan", b"inf", b"1e30")
_UNIT = (b"km", b"m", b"ft", b"mi", b"KM", b"x")
_ORDER = (b"ASC", b"DESC", b"asc")
_TOLD = options(b"WITHCOORD", b"WITHDIST", b"WITHHASH", form(b"COUNT", v.COUNT), _ORDER)
# A COUNT would keep either of two places that are equally far.
_STORED = options(_ORDER, b"COUNT")
_KEPT = options(form(b"STORE", _PLACE), form(b"STOREDIST", _PLACE), _ORDER)
_AREA = form(
    (form(b"FROMLONLAT", _POINT), form(b"FROMMEMBER", v.MEMBER), form()),
    (form(b"BYRADIUS", _LENGTH, _UNIT), form(b"BYBOX", _LENGTH, _LENGTH, _UNIT), form()),
)
GEO: dict[str, Part] = {
    "geoadd": form(_PLACE, options(b"NX", b"XX", b"CH", b"xx"), some(_POINT, v.MEMBER, most=4)),
    "geodist": form(_PLACE, v.MEMBER, v.MEMBER, maybe(_UNIT)),
    "geohash": form(_PLACE, some(v.MEMBER, least=0)),
    "geopos": form(_PLACE, some(v.MEMBER, least=0)),
    "georadius": form(_PLACE, _POINT, _LENGTH, _UNIT, (_TOLD, _KEPT)),
    "georadius_ro": form(_PLACE, _POINT, _LENGTH, _UNIT, (_TOLD, _TOLD, _KEPT)),
    "georadiusbymember": form(_PLACE, v.MEMBER, _LENGTH, _UNIT, (_TOLD, _KEPT)),
    "georadiusbymember_ro": form(_PLACE, v.MEMBER, _LENGTH, _UNIT, (_TOLD, _TOLD, _KEPT)),
    "geosearch": form(_PLACE, _AREA, _TOLD),
    "geosearchstore": form(_PLACE, _PLACE, _AREA, _STORED, maybe(b"STOREDIST")),
}
