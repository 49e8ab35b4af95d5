# -- which command has which form ---------------------------------------------------------------------------


cdef int incr(Path self) except -1:
    return add_to_number(self, 1)


cdef int decr(Path self) except -1:
    return add_to_number(self, -1)


cdef int incrby(Path self) except -1:
    return increase(self, False)


cdef int decrby(Path self) except -1:
    return increase(self, True)


cdef int ttl_in_seconds(Path self) except -1:
    return ttl(self, 1000)


cdef int ttl_in_milliseconds(Path self) except -1:
    return ttl(self, 1)


cdef int expire_in_seconds(Path self) except -1:
    return expire(self, 1000, True)


cdef int expire_in_milliseconds(Path self) except -1:
    return expire(self, 1, True)


cdef int expire_at_second(Path self) except -1:
    return expire(self, 1000, False)


cdef int expire_at_millisecond(Path self) except -1:
    return expire(self, 1, False)


cdef int lpush(Path self) except -1:
    return push_end(self, True)


cdef int rpush(Path self) except -1:
    return push_end(self, False)


cdef int lpop(Path self) except -1:
    return pop_end(self, True)


cdef int rpop(Path self) except -1:
    return pop_end(self, False)


cdef int llen(Path self) except -1:
    return length_of(self, List)


cdef int hlen(Path self) except -1:
    return length_of(self, Hash)


cdef int scard(Path self) except -1:
    return length_of(self, Set)


cdef int zcard(Path self) except -1:
    return length_of(self, SortedSet)


cdef int zrank(Path self) except -1:
    return rank_of(self, False)


cdef int zrevrank(Path self) except -1:
    return rank_of(self, True)


cdef int zrange(Path self) except -1:
    return range_by_rank(self, False)


cdef int zrevrange(Path self) except -1:
    return range_by_rank(self, True)


cdef Form form_of(str name):
    """The form of the command with this lower-case name; NULL where it has none."""
    if name == "get": return get_string
    if name == "set": return set_string
    if name == "setnx": return setnx
    if name == "incr": return incr
    if name == "decr": return decr
    if name == "incrby": return incrby
    if name == "decrby": return decrby
    if name == "mget": return mget
    if name == "mset": return mset
    if name == "exists": return exists
    if name == "del" or name == "unlink": return delete
    if name == "ttl": return ttl_in_seconds
    if name == "pttl": return ttl_in_milliseconds
    if name == "append": return append_string
    if name == "expire": return expire_in_seconds
    if name == "pexpire": return expire_in_milliseconds
    if name == "expireat": return expire_at_second
    if name == "pexpireat": return expire_at_millisecond
    if name == "ping": return ping
    if name == "echo": return echo
    if name == "lpush": return lpush
    if name == "rpush": return rpush
    if name == "lpop": return lpop
    if name == "rpop": return rpop
    if name == "llen": return llen
    if name == "lrange": return lrange
    if name == "hset": return hset
    if name == "hget": return hget
    if name == "hmget": return hmget
    if name == "hexists": return hexists
    if name == "hlen": return hlen
    if name == "hincrby": return hincrby
    if name == "hgetall": return hgetall
    if name == "sadd": return sadd
    if name == "sismember": return sismember
    if name == "scard": return scard
    if name == "hdel": return hdel
    if name == "srem": return srem
    if name == "spop": return spop
    if name == "zadd": return zadd
    if name == "zincrby": return zincrby
    if name == "zrem": return zrem
    if name == "zrank": return zrank
    if name == "zrevrank": return zrevrank
    if name == "zrange": return zrange
    if name == "zrevrange": return zrevrange
    if name == "zscore": return zscore
    if name == "zcard": return zcard
    if name == "xadd": return xadd
    if name == "xlen": return xlen
    if name == "xrange": return xrange_up
    if name == "xrevrange": return xrange_down
    if name == "xread": return xread
    if name == "xreadgroup": return xreadgroup
    if name == "xack": return xack
    return NULL
