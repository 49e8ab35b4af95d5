"""Keyspace notifications: the same events in the same order as real Redis, of every class, for every command."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kedis.commands import load_all
from kedis.engine.notifications import CLASS_OF
from kedis.engine.table import every_command
from tests.commands.agreement import make_client
from tests.commands.driver import Client, Clock
from tests.oracle import Oracle

MARK = b"__key__:mark"
EVERYTHING = "AKEmn"


class Pair:
    """Both servers, on each a client that works and one that listens."""

    def __init__(self) -> None:
        self.redis = Oracle("--notify-keyspace-events", EVERYTHING)
        self.redis.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.redis_listener = self.redis.another()
        self.redis_publisher = self.redis.another()
        self.redis_listener.call("PSUBSCRIBE", "__key*__:*")
        self.kedis = make_client()
        self.kedis.call("CONFIG", "SET", "notify-keyspace-events", EVERYTHING)
        self.listener = Client(self.kedis.engine)
        self.listener.replies("PSUBSCRIBE", "__key*__:*")

    def close(self) -> None:
        for each in (self.redis_listener, self.redis_publisher):
            each.close_socket()
        self.redis.close()

    def run(self, line: str) -> tuple[list[Any], list[Any]]:
        """What the listeners of the two servers hear of the command: channels and messages in pairs."""
        words = shlex.split(line)
        self.redis.call(*words)
        self._follow_clock()
        self.kedis.call(*words)
        self.redis_publisher.call("PUBLISH", MARK, "")
        theirs = []
        while (message := self.redis_listener.receive()[2:])[0] != MARK:
            theirs.append(message)
        return [message[2:] for message in self.listener.pushed()], theirs

    def _follow_clock(self) -> None:
        """Kedis runs the command after Redis has, so that what was due there is due here."""
        clock = self.kedis.engine.clock
        assert isinstance(clock, Clock)
        clock.now_ns = time.time_ns()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    servers = Pair()
    yield servers
    servers.close()


def known_lines() -> list[str]:
    """The script, as far as Kedis has its commands."""
    load_all()
    names = {row.name for row in every_command()}
    return [line for line in SCRIPT.splitlines() if line and line.split()[0] in names]


def test_the_same_events_in_the_same_order(pair: Pair) -> None:
    for line in known_lines():
        mine, theirs = pair.run(line)
        assert mine == theirs, line


def test_the_script_knows_every_writing_command() -> None:
    load_all()
    used = {line.split()[0] for line in SCRIPT.splitlines() if line}
    wanted = {row.name for row in every_command() if row.writes and row.parent is None}
    assert wanted - used - ELSEWHERE == set()


@pytest.mark.parametrize(
    "letters", ["", "K", "E", "A", "KEg", "K$lx", "El", "KEm", "KEn", "Kg$lshzxetdmn", "AKEmn"]
)
def test_classes(pair: Pair, letters: str) -> None:
    """Events of the classes chosen only, and Redis's form of the setting."""
    pair.redis.call("FLUSHALL")
    pair.kedis.call("FLUSHALL")
    for server in (pair.redis, pair.kedis):
        assert server.call("CONFIG", "SET", "notify-keyspace-events", letters) == b"OK"
    try:
        shown = [
            server.call("CONFIG", "GET", "notify-keyspace-events") for server in (pair.redis, pair.kedis)
        ]
        assert shown[0] == shown[1]
        for line in SAMPLE:
            mine, theirs = pair.run(line)
            assert mine == theirs, line
    finally:
        for server in (pair.redis, pair.kedis):
            server.call("CONFIG", "SET", "notify-keyspace-events", EVERYTHING)


def test_every_event_of_a_command_has_a_class(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the script makes happen is known to the table of classes."""
    events = pair.kedis.engine.events
    heard: set[str] = set()

    def listened(tell: Callable[[int, bytes, str], None]) -> Callable[[int, bytes, str], None]:
        def listen(database: int, key: bytes, event: str) -> None:
            heard.add(event)
            tell(database, key, event)

        return listen

    for name in ("key_modified", "key_annotated", "key_removed"):
        monkeypatch.setattr(events, name, listened(getattr(events, name)))
    for line in known_lines():
        pair.kedis.call(*shlex.split(line))
    pair.listener.pushed()  # nobody else wants them
    assert {"set", "expired"} <= heard
    assert heard - CLASS_OF.keys() == {""}


SAMPLE = (
    "set k v",
    "get nothing",
    "expire k 100",
    "append k w",
    "rpush l a",
    "sadd s a",
    "hset h f v",
    "zadd z 1 a",
    "set gone v px 1",
    "debug sleep 0.01",
    "get gone",
    "del k l s h z",
)

#: Commands whose arguments cannot be written here: payloads, other servers.
ELSEWHERE = {"restore", "restore-asking", "migrate", "pfdebug"}

SCRIPT = """
set a 1
set a 2 ex 100
set a 3 keepttl
set a 4 px 100000 get
set a 5 get
set a 5 nx
set nope 5 xx
set a 5 xx get
setex a 100 v
psetex a 100000 v
setnx a 1
setnx b 1
getset b 2
getset new1 2
getdel new1
getdel new1
getex b ex 100
getex b persist
getex b persist
getex b
getex nokey
set b 1 exat 1
getex b pxat 1
set b 1
getex b pxat 1
get b
mset x 1 y 2 x 3
msetnx x 1 z 2
msetnx z 1 w 2
append z foo
append z1 foo
append z1 ""
append z9 ""
setrange z 1 abc
setrange z2 1 abc
setrange z2 1 ""
setrange z3 1 ""
incr n
decr n
incrby n 5
decrby n 5
incrbyfloat n 1.5
strlen n
strlen none
get none
mget none x none2
getrange none 0 1
substr none 0 1
exists none x
type none
ttl none
pttl none
expiretime none
touch none x
object encoding none
object freq none
del none x y
unlink z z2
setbit bits 1 1
setbit bits 1 1
getbit bits 1
getbit nobits 1
bitcount nobits
bitpos nobits 1
bitop and bdst bits nobits
bitop or bdst bits z1
bitop or bdst nob1 nob2
bitop or bdst nob1 nob2
bitfield bf set u8 0 1
bitfield bf get u8 0
bitfield bf incrby u8 0 1 incrby u8 0 1
bitfield nobf get u8 0
bitfield_ro nobf get u8 0
bitfield bf overflow fail incrby u2 0 5
pfadd h a b
pfadd h a
pfadd h2
pfcount h
pfcount h none
pfmerge h3 h none
pfmerge h3
pfcount none
lpush l a
lpush l b c
rpush l a
lpushx l a
lpushx nol a
rpushx l z
lpop l
rpop l
lpop l 2
lpop nol
lpop nol 2
lpop l 0
rpop l 100
rpush l a b c d e
lset l 0 z
lset nol 0 z
linsert l before z y
linsert l before nope y
linsert nol before nope y
lrem l 0 z
lrem l 0 nope
ltrim l 0 1
ltrim l 0 -1
ltrim l 5 6
ltrim nol 0 1
rpush l a b c d e
lmove l l left right
lmove l l2 left right
lmove nol l2 left right
rpoplpush l l2
rpoplpush l l
rpush one a
rpoplpush one l2
rpush one a
lmove one one left left
rpoplpush one onetwo
lmpop 2 nol l left count 2
lmpop 2 nol nol2 left count 2
lmpop 1 l right count 20
lrange nol 0 1
llen nol
lindex nol 1
lpos nol 1
sadd s a b c
sadd s a
sadd s a d
srem s a
srem s zz
srem nos zz
spop s
sadd one1 a
spop one1
sadd one1 a b
spop one1 5
spop nos
spop nos 2
sadd s a b c d e
spop s 0
smove s s2 a
smove s s2 zz
smove s s a
smove nos s2 a
sadd sone x
smove sone s2 x
sinterstore sd s s2
sinterstore sd s s3
sinterstore sd s s3
sunionstore sd s s2
sunionstore sd s s2
sdiffstore sd s s2
sdiffstore sd s s
sinter nos s
sunion nos s
sdiff nos s
sdiff s nos
sintercard 2 s nos
smembers nos
scard nos
sismember nos a
smismember nos a
srandmember nos
srandmember nos 2
sscan nos 0
hset hh a 1 b 2
hset hh a 1
hmset hh a 1
hsetnx hh a 1
hsetnx hh c 1
hsetnx hh2 c 1
hincrby hh a 1
hincrbyfloat hh a 1.5
hdel hh zz
hdel hh a zz
hdel nohh a
hdel hh2 c
hget nohh a
hgetall nohh
hmget nohh a
hlen nohh
hexists nohh a
hkeys nohh
hvals nohh
hstrlen nohh a
hrandfield nohh
hrandfield nohh 2
hscan nohh 0
zadd z 1 a
zadd zz 1 a 2 b 3 c
zadd zz 1 a
zadd zz xx 5 nope
zadd nozz xx 5 nope
zadd zz incr 5 a
zadd zz nx incr 5 a
zadd zz ch 7 a
zincrby zz 1 a
zincrby zz2 1 a
zincrby zz2 0 a
zrem zz zzz
zrem zz a zzz
zrem zz2 a
zrem nozz a
zadd zz 1 a 2 b 3 c 4 d 5 e 6 f 7 g
zremrangebyscore zz 1 1
zremrangebyscore zz 1 1
zremrangebyrank zz 0 0
zremrangebylex zz [c [c
zremrangebyrank nozz 0 0
zpopmin zz
zpopmax zz
zpopmin zz 2
zpopmin zz 0
zpopmin nozz
zpopmin nozz 2
zmpop 2 nozz zz min
zadd zz 1 a 2 b 3 c 4 d 5 e 6 f 7 g
zmpop 2 nozz zz max count 3
zmpop 2 nozz nozz2 max count 3
zpopmax zz 100
zadd zz 1 a 2 b 3 c 4 d 5 e 6 f 7 g
zadd zy 1 a 2 b
zunionstore zd 2 zz zy
zinterstore zd 2 zz zy
zdiffstore zd 2 zz zy
zdiffstore zd 2 zy zz
zdiffstore zd 2 zy zz
zinterstore zd 2 zy none
zunionstore zd 2 s zy
zrangestore zd zz 0 -1
zrangestore zd zz 10 11
zrangestore zd nozz 10 11
zrangestore zd zz 10 11
zrange nozz 0 1
zscore nozz a
zmscore nozz a
zcard nozz
zcount nozz 1 2
zlexcount nozz - +
zrank nozz a
zunion 2 nozz zz
zinter 2 nozz zz
zdiff 2 nozz zz
zintercard 2 zz nozz
zrandmember nozz
zrandmember nozz 2
zscan nozz 0
zrevrange nozz 0 1
zrangebyscore nozz 0 1
geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
geoadd g 13.361389 38.115556 Palermo
geoadd g ch 13.4 38.115556 Palermo
geosearchstore gd g fromlonlat 15 37 byradius 200 km
geosearchstore gd g fromlonlat 0 0 byradius 2 km
geosearchstore gd g fromlonlat 0 0 byradius 2 km
geosearchstore gd nog fromlonlat 0 0 byradius 2 km
georadius g 15 37 200 km store gd
georadius g 15 37 200 km storedist gd
georadius nog 15 37 200 km storedist gd
georadiusbymember g Palermo 200 km store gd
georadius nog 15 37 200 km
geopos nog a
geodist nog a b
geohash nog a
geosearch nog fromlonlat 0 0 byradius 2 km
expire x 100
set x 1
expire x 100
expire x 200 nx
pexpire x 100000
expireat x 99999999999
pexpireat x 99999999999000
persist x
persist x
expire x -1
expire x 100
set x 1
expireat x 1
pexpire none 5
rename none b
set x 1
rename x x2
set x 1 ex 100
set x3 2
rename x x3
rename x3 x3
renamenx x3 x4
renamenx x4 a
renamenx x4 x4
copy x4 x5
copy x4 x5
copy x4 x5 replace
copy none x5
copy x4 x6 db 3
copy x4 x6 db 3 replace
move x4 3
move x4 3
move none 3
set x4 1
move x4 3
select 3
get x4
set ttl 1 ex 100
move ttl 4
select 0
set dead 1 pxat 1
set dead 1
pexpireat dead 1
set e1 1
swapdb 0 5
swapdb 0 5
flushdb
set a 1
flushall
set a 1 px 1
debug sleep 0.01
get a
set a 1 px 1
debug sleep 0.01
set a 2
set a 1 px 1
debug sleep 0.01
del a
set a 1 px 1
debug sleep 0.01
exists a
set a 1 px 1
debug sleep 0.01
lpush a b
del a
set a 1 px 1
debug sleep 0.01
rename a b
set a 1 px 1
debug sleep 0.01
append a b
del a
set a 1 px 1
debug sleep 0.01
incr a
del a
set a 1 px 1
debug sleep 0.01
sadd a 1
del a
set a 1 px 1
debug sleep 0.01
touch a
set a 1 px 1
debug sleep 0.01
ttl a
set a 1 px 1
debug sleep 0.01
hset a f v
del a
set a 1 px 1
debug sleep 0.01
sinterstore a b c
set a 1 px 1
debug sleep 0.01
set b 1
rename b a
set a 1 px 1
debug sleep 0.01
set b 1
copy b a
rpush a 1
set a 1
set b 2
lcs a b
lcs a nob
set s1 x
sinterstore s1 nos
set s1 x
zunionstore s1 1 nos
rpush sl 3 1 2
scan 0
keys *
randomkey
multi
set m1 1
lpush m2 a
del m1
exec
watch m2
unwatch
setrange newr 0 a
decrby newd 3
incrbyfloat newf 3
lmove sl sl left left
hincrby newh a 1
hincrbyfloat newh2 a 1
dump none
flushall
rpush list 3 1 2
sort list
sort list store sorted
sort list store sorted
sort none store sorted
sort none store sorted
sort_ro none
blpop list 0
brpop none list 0
blmove list other left right 0
rpush list a
brpoplpush list other 0
rpush list a b c
blmpop 0 2 none list left count 2
blmpop 0 1 list left count 2
zadd zset 1 a 2 b 3 c 4 d
bzpopmin zset 0
bzpopmax none zset 0
bzmpop 0 1 zset min
bzmpop 0 1 zset max
xadd stream 1-1 a 1
xadd stream maxlen 1 2-1 a 1
xadd stream maxlen 5 3-1 a 1
xadd stream nomkstream 4-1 a 1
xadd nostream nomkstream 4-1 a 1
xgroup create stream g 0
xgroup create new g 0 mkstream
xgroup createconsumer stream g c
xreadgroup group g d count 2 streams stream >
xreadgroup group g e streams stream 0
xclaim stream g f 0 2-1
xautoclaim stream g h 0 0
xack stream g 2-1
xgroup setid stream g 0
xsetid stream 9-9
xtrim stream maxlen 2
xtrim stream minid 4
xtrim stream minid 4
xdel stream 4-1 4-1
xdel stream 4-1
xread streams stream nostream 0 0
xgroup delconsumer stream g f
xgroup destroy stream g
xgroup destroy stream g
rename new newer
copy newer copied
del newer copied
"""
