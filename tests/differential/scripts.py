"""Sequences of commands: drawing them, running them on both servers, reporting where the answers part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.differential import grammar, streams
from tests.differential import vocabulary as v
from tests.differential.comparison import RANDOM, SCANS, agree, transaction_agrees
from tests.differential.replies import Reply, flatten, is_error, items, show
from tests.differential.servers import KedisServer, RedisServer

#: The number of a client and the words that it sends.
Step = tuple[int, list[bytes]]
Script = Sequence[Step]
_DATABASES = 16
_MOST_CURSORS = 2000

#: Values big enough for the other representation of their type in Redis.
FILLS = (
    [b"ZADD", b"zset:3", *(word for n in range(140) for word in (b"%d" % (n % 40), b"m%d" % n))],
    [b"SADD", b"set:3", *(b"%d" % n for n in range(520))],
    [b"SADD", b"set:2", b"word", *(b"%d" % n for n in range(40))],
    [b"HSET", b"hash:2", *(word for n in range(130) for word in (b"f%d" % n, b"v" * (n % 70)))],
    [b"RPUSH", b"list:3", *(b"%d" % (n % 50) for n in range(300))],
    [b"ZADD", b"zset:1", b"1", b"a", b"2", b"b", b"2", b"c", b"3", b"d", b"inf", b"e"],
    [b"ZADD", b"zset:2", b"0.1", b"a", b"0.2", b"b", b"0.3", b"c", b"0", b"1"],
    [b"MSET", b"str:1", b"10", b"str:2", b"ohmytext", b"str:3", b"mynewtext"],
    [b"ZADD", b"lex:1", *(word for n in range(12) for word in (b"0", b"%c" % (97 + n)))],
    [b"SET", b"lex:text", b"x"],
    [b"SET", b"gone", b"volatile", b"PXAT", b"4000000000000"],
    *streams.FILLS,
)


def draw_script(random: Random, names: Sequence[str], least: int = 20, most: int = 60) -> list[Step]:
    """A sequence of calls by two clients, with whole transactions among them."""
    choices = grammar.weighted_names(random, names)
    script: list[Step] = [(0, [b"HELLO", b"3"])] if random.randint(0, 1) else []
    fills = [list(words) for words in FILLS if words[0].decode().lower() in names]
    script += [(0, list(random.choice(fills))) for _ in range(random.randint(0, 4))]
    length = random.randint(least, most)
    while len(script) < length:
        kind = random.randint(0, 40)
        if kind == 40 and "multi" in names:
            script += _draw_transaction(random, choices)
        elif kind == 39:
            script.append((0, list(random.choice(grammar.UNKNOWN))))
        else:
            script.append((int(kind > 30), grammar.command(random, random.choice(choices))))
    return script


def _draw_transaction(random: Random, choices: Sequence[str]) -> list[Step]:
    """WATCH perhaps, MULTI, some commands, the other client between them, EXEC or DISCARD."""
    client = random.randint(0, 1)
    steps: list[Step] = []
    if random.randint(0, 1):
        steps.append((client, [b"WATCH", *v.draw(grammar.GRAMMAR["watch"], random)]))
    steps.append((client, [b"MULTI"]))
    for _ in range(random.randint(0, 6)):
        who = client if random.randint(0, 5) else 1 - client
        steps.append((who, grammar.command(random, random.choice(choices))))
    steps.append((client, [random.choice((b"EXEC", b"EXEC", b"EXEC", b"DISCARD"))]))
    return steps


class Divergence(AssertionError):
    """The servers disagree; the message is the script up to there and both answers."""


class Comparison:
    """Runs one script on a new Kedis and on an emptied Redis, command by command."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.kedis = KedisServer()
        self.done: list[Step] = []
        # Whether Redis holds a score of -0, which Kedis holds as 0.
        self.signed_zero = False
        # What each client has queued since its MULTI; None outside a transaction.
        self.queues: list[list[list[bytes]] | None] = [None, None]
        redis.clear()

    def run(self, script: Script) -> None:
        """Run ``script``, then compare what the servers hold.  Raises Divergence."""
        for client, words in script:
            if _is_undefined(words) or (self.queues[client] is not None and _pops_at_random(words)):
                continue
            self.step(client, words)
        self.compare_data()

    def step(self, client: int, words: list[bytes]) -> Reply:
        """Run one command on both; the reply of Redis."""
        self.done.append((client, words))
        if words[0].upper() in (b"SORT", b"SORT_RO", b"EXEC"):
            self.redis.forget_range_error()
        mine = self.kedis.call(client, words)
        theirs = self.redis.call(client, words, self.kedis.waited)
        name = words[0].upper()
        queue = self.queues[client]
        if name == b"EXEC" and queue is not None:
            equal = transaction_agrees(queue, mine, theirs)
        else:
            equal = agree(words, mine, theirs)
        if not equal:
            raise self.divergence(mine, theirs)
        if queue is None and not is_error(theirs):
            self._look_closer(client, name, words, mine, theirs)
        self._follow_transaction(client, name, words, theirs)
        return theirs

    def _follow_transaction(self, client: int, name: bytes, words: list[bytes], reply: Reply) -> None:
        queue = self.queues[client]
        if queue is not None and reply == ("+", b"QUEUED"):
            queue.append(words)
        elif name == b"MULTI" and not is_error(reply):
            self.queues[client] = []
        elif name in (b"EXEC", b"DISCARD", b"RESET", b"QUIT") and not misspelt(reply):
            self.queues[client] = None

    # -- replies that are right in more than one way --------------------------------------------------------

    def _look_closer(self, client: int, name: bytes, words: list[bytes], mine: Reply, theirs: Reply) -> None:
        if name in SCANS and _begins(name, words):
            self._compare_scans(client, name, words, mine, theirs)
        elif name == b"SPOP":
            self._follow_pop(client, words[1], mine, theirs)
        elif name in RANDOM:
            self._check_members(client, name, words, mine)

    def _compare_scans(
        self, client: int, name: bytes, words: list[bytes], mine: Reply, theirs: Reply
    ) -> None:
        """A whole iteration from cursor 0 on must give the same elements."""
        step = 2 if name in (b"HSCAN", b"ZSCAN") else 1
        found = []
        for server, reply in ((self.kedis, mine), (self.redis, theirs)):
            elements: set[tuple[bytes, ...]] = set()
            for _ in range(_MOST_CURSORS):
                cursor, page = items(reply)
                texts = flatten(page)
                if name == b"ZSCAN":  # which spells large scores by the representation, past and present
                    texts[1::2] = [b"%r" % (float(score) + 0.0) for score in texts[1::2]]
                elements.update(zip(*[iter(texts)] * step, strict=True))
                if cursor[1] == b"0":
                    break
                again = list(words)
                again[1 if name == b"SCAN" else 2] = cursor[1]
                reply = server.call(client, again)
            found.append(elements)
        if found[0] != found[1]:
            raise self.divergence(*(("$", repr(sorted(elements)).encode()) for elements in found))

    def _follow_pop(self, client: int, key: bytes, mine: Reply, theirs: Reply) -> None:
        """Make Kedis's set what Redis's has become; elements that were none show in the digest."""
        ours, other = flatten(mine), flatten(theirs)
        if sorted(ours) == sorted(other):
            return
        self.kedis.follow(client, [b"SADD", key, *ours], [b"SREM", key, *other])

    def _check_members(self, client: int, name: bytes, words: list[bytes], mine: Reply) -> None:
        """What Kedis chose at random must be there in Redis; up to five elements are looked at."""
        with_values = len(words) > 3
        chosen = items(mine) if mine[0] in "*~" else [] if mine[1] is None else [mine]
        if with_values and chosen and not isinstance(chosen[0][1], list):
            chosen = chosen[::2]
        for element in chosen[:5]:
            text = flatten(element)[0]
            check = {
                b"SRANDMEMBER": [b"SISMEMBER", words[-1], text],
                b"HRANDFIELD": [b"HEXISTS", words[-1], text],
                b"ZRANDMEMBER": [b"ZSCORE", words[-1], text],
                b"RANDOMKEY": [b"EXISTS", text],
            }[name]
            if name != b"RANDOMKEY":
                check[1] = words[1]
            if self.redis.call(client, check)[1] in (0, None):
                raise self.divergence(mine, ("$", b"(no such element)"))

    # -- what the servers hold -----------------------------------------------------------------------------

    def compare_data(self) -> None:
        """Keys, types, values, whether they expire; digests; and that Kedis's journal makes the same again."""
        for client in range(len(self.queues)):
            self.step(client, [b"RESET"])
        self.kedis.check()
        for number in range(_DATABASES):
            if self._redis_holds(number) or self.kedis.engine.keyspace.databases[number].data:
                self.step(0, [b"SELECT", b"%d" % number])
                self._compare_database()
        ask = [b"DEBUG", b"DIGEST"]
        digest, theirs = self.kedis.call(0, ask), self.redis.call(0, ask)
        if digest != theirs and not self.signed_zero:
            raise self.divergence(digest, theirs)
        if self.kedis.replayed().call(0, ask) != digest:
            journal = "\n".join(quoted(argv) for _, argv in self.kedis.recorder.entries)
            raise Divergence(f"{self.story()}\nThe journal makes other data of it:\n{journal}")

    def _redis_holds(self, number: int) -> bool:
        """Whether a database of Redis has keys, once those that are due are removed (SCAN does that)."""
        self.redis.call(1, [b"SELECT", b"%d" % number])
        self.redis.call(1, [b"SCAN", b"0", b"COUNT", b"1000000"])
        return self.redis.call(1, [b"DBSIZE"]) != (":", 0)

    def _compare_database(self) -> None:
        for key in sorted(flatten(self.step(0, [b"KEYS", b"*"]))):
            kind = self.step(0, [b"TYPE", key])
            value = self.step(0, [word or key for word in READ[kind[1]]])
            self.signed_zero |= kind[1] == b"zset" and b"-0" in flatten(value)
            self.step(0, [b"PTTL", key])
            self.step(0, [b"OBJECT", b"ENCODING", key])

    # -- telling -------------------------------------------------------------------------------------------

    def story(self) -> str:
        """The commands so far, a line each, with the client's number in front."""
        return "\n".join(f"{client}> {quoted(words)}" for client, words in self.done)

    def divergence(self, mine: Reply, theirs: Reply) -> Divergence:
        return Divergence(f"{self.story()}\n   kedis: {show(mine)}\n   redis: {show(theirs)}")


#: The most characters of a command in a report; the big fills are cut.
_LINE = 600

# The empty word stands for the key.
READ = {
    b"string": [b"GET", b""],
    b"list": [b"LRANGE", b"", b"0", b"-1"],
    b"set": [b"SMEMBERS", b""],
    b"hash": [b"HGETALL", b""],
    b"zset": [b"ZRANGE", b"", b"0", b"-1", b"WITHSCORES"],
    b"stream": [b"XINFO", b"STREAM", b"", b"FULL", b"COUNT", b"0"],
}


def _pops_at_random(words: list[bytes]) -> bool:
    """Whether this is an SPOP that leaves a choice: inside a transaction nothing could be made equal after it."""
    if words[0].upper() != b"SPOP":
        return False
    return len(words) < 3 or (words[2].isdigit() and words[2] not in (b"0", v.MAX))


def _is_undefined(words: list[bytes]) -> bool:
    """What Redis answers by accident.

    LPOS with a rank of -2^63, which it negates: that overflows.  COMMAND GETKEYS with a misspelt number of keys,
    which it reads in one of two ways.
    """
    name = words[0].upper()
    if name == b"COMMAND" and words[1:2] == [b"GETKEYS"]:
        return not v.MISSPELT.isdisjoint(words[3:])
    return name == b"LPOS" and v.MIN in words


def misspelt(reply: Reply) -> bool:
    return is_error(reply) and reply[1].startswith(b"ERR wrong number")


def _begins(name: bytes, words: list[bytes]) -> bool:
    return words[1 if name == b"SCAN" else 2] == b"0"


def quoted(words: Sequence[bytes]) -> str:
    """A command as redis-cli would take it."""
    line = " ".join(word.decode() if word and _PLAIN.issuperset(word) else ascii(word)[1:] for word in words)
    return line if len(line) <= _LINE else f"{line[:60]} … {line[-20:]}   ({len(words)} words)"


_PLAIN = frozenset(range(33, 127)) - frozenset(b"\"'\\")


def minimise(script: Script, fails: Callable[[Script], bool]) -> list[Step]:
    """A part of ``script`` that still fails and from which no single step can be left out."""
    steps = list(script)
    size = max(1, len(steps) // 2)
    while size:
        at, removed = 0, False
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            if fails(fewer):
                steps, removed = fewer, True
            else:
                at += size
        if size > 1 or not removed:
            size //= 2
    return steps
