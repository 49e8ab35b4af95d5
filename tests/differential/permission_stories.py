"""Stories of permissions: keys, channels, commands and passwords, and what is refused."""

from __future__ import annotations

#: What each is about, and its script (:mod:`tests.differential.scenarios`).
PERMISSIONS = {
    "denied in monitor": """
        a: ACL SETUSER bob on nopass +get ~k*
        m: MONITOR
        b: AUTH bob x
        b: GET a
        b: GET k
        b: SET k v
        b: NOSUCH
    """,
    "hidden keys": """
        a: ACL SETUSER bob on nopass +@all -@admin ~k*
        a: RPUSH k1 3 1 2
        a: GEOADD kg 0 0 m
        b: AUTH bob x
        b: SORT k1
        b: SORT k1 BY w_*
        b: SORT k1 BY k*
        b: SORT k1 BY nosort
        b: SORT k1 GET #
        b: SORT k1 GET k*
        b: SORT k1 GET w_* STORE k2
        b: SORT k1 STORE x
        b: SORT k1 STORE x STORE k2
        b: SORT k1 STORE k2 STORE x
        b: SORT k1 BY nosort GET # LIMIT 0 1
        b: SORT_RO k1 BY w_*
        b: SORT_RO k1 GET w_*
        b: SORT_RO k1
        b: GEORADIUS kg 0 0 1 km STORE x
        b: GEORADIUS kg 0 0 1 km STOREDIST x
        b: GEORADIUS kg 0 0 1 km STORE k3
        b: GEORADIUS kg 0 0 1 km STORE x STORE k3
        b: GEORADIUSBYMEMBER kg m 1 km STORE x
        b: GEORADIUSBYMEMBER kg m 1 km STORE k3
        b: GEORADIUS_RO kg 0 0 1 km STORE x
        b: GEORADIUS x 0 0 1 km
        a: ACL SETUSER bob %R~*
        b: SORT k1 BY w_*
        b: SORT k1 GET w_*
        b: SORT k1 GET w_* STORE x
        a: ACL SETUSER bob resetkeys %R~k* %W~s*
        b: SORT k1 STORE s1
        b: SORT k1 STORE k9
        b: GEORADIUS kg 0 0 1 km STORE s2
        b: GEORADIUS kg 0 0 1 km STORE k2
        b: GEORADIUS kg 0 0 1 km
        b: GEORADIUS s2 0 0 1 km
        a: ACL SETUSER bob resetkeys ~k* (%R~* +sort)
        b: SORT k1 BY w_*
        b: SORT k1 BY w_* STORE k3
        b: SORT_RO k1 BY w_*
        a: ACL LOG
    """,
    "set get and bitfield need what they do": """
        a: ACL SETUSER bob on nopass +@all -@admin %R~r* %W~w* ~b*
        b: AUTH bob x
        b: SET r v
        b: SET w v
        b: SET w v GET
        b: SET b v GET
        b: BITFIELD r GET u8 0
        b: BITFIELD w GET u8 0
        b: BITFIELD w SET u8 0 1
        b: BITFIELD b SET u8 0 1
        b: GETEX r
        b: GETDEL w
        b: GETSET w v
        b: COPY r w
        b: COPY w b
        b: RENAME w b
        b: LMOVE r w LEFT LEFT
        b: EXISTS r
        b: EXISTS w
        b: TYPE w
        b: TTL w
        b: STRLEN w
        b: OBJECT ENCODING w
        b: DUMP w
        b: INCR w
        b: APPEND w x
        b: DEL r
        b: EXPIRE r 1
        b: TOUCH r w
        b: WATCH r w
        b: MGET r w
        b: EVAL "return 1" 1 r
        b: EVAL "return 1" 1 w
        b: EVAL "return 1" 1 b
        b: EVAL_RO "return 1" 1 r
        b: EVAL_RO "return redis.call('get','r')" 1 r
        b: XREAD STREAMS w 0
        b: XREADGROUP GROUP g c STREAMS r >
        b: PFCOUNT r
        b: PFMERGE w r
    """,
    "functions": r"""
        a: FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function(k, a) return redis.call('get', a[1]) end)"
        a: ACL SETUSER bob on nopass +fcall +get ~k*
        b: AUTH bob x
        b: FCALL f 0 k1
        b: FCALL f 0 a1
        b: FCALL f 1 a1 k1
        a: ACL SETUSER bob -get
        b: FCALL f 0 k1
        b: FCALL_RO f 0 k1
        b: FUNCTION LIST
        a: ACL LOG
        a: FUNCTION FLUSH
    """,
    "first words": """
        a: ACL SETUSER bob on nopass -@all +select|0 +select|2 +config|get +client +auth
        b: AUTH bob x
        b: SELECT 0
        b: SELECT 1
        b: SELECT 2
        b: SELECT 00
        b: CONFIG GET hz
        b: CONFIG SET port 1
        b: CLIENT GETNAME
        b: CLIENT NOSUCH
        b: CONFIG NOSUCH
        a: ACL SETUSER bob -client|getname
        b: CLIENT GETNAME
        b: CLIENT ID x
        a: ACL LOG
    """,
    "channels": """
        a: ACL SETUSER bob on nopass +@all -@admin ~* resetchannels &a* &b
        b: AUTH bob x
        b: PUBLISH ab x
        b: PUBLISH c x
        b: SPUBLISH c x
        b: SUBSCRIBE ab c
        b: PSUBSCRIBE a* b*
        b: PSUBSCRIBE a*
        b: PUNSUBSCRIBE
        b: SSUBSCRIBE c
        b: PUBSUB CHANNELS
        b: PUBSUB NUMSUB c
        b: UNSUBSCRIBE c
        a: CONFIG SET acl-pubsub-default allchannels
        a: ACL SETUSER carl
        a: ACL GETUSER carl
        a: CONFIG SET acl-pubsub-default resetchannels
        a: ACL SETUSER dora
        a: ACL GETUSER dora
        a: ACL LOG
    """,
    "dryrun": """
        a: ACL SETUSER bob on nopass +@all -@admin ~k* resetchannels &a
        a: ACL DRYRUN bob GET a1
        a: ACL DRYRUN bob GET k1
        a: ACL DRYRUN bob SORT k1 BY w_*
        a: ACL DRYRUN bob SORT k1 STORE a
        a: ACL DRYRUN bob PUBLISH b x
        a: ACL DRYRUN bob CONFIG GET port
        a: ACL DRYRUN bob AUTH x
        a: ACL DRYRUN bob EVAL x 1 a
        a: ACL DRYRUN bob GEORADIUS k 0 0 1 km STORE a
        a: ACL DRYRUN bob MIGRATE h 1 "" 0 10 KEYS k1 a1
        a: ACL LOG
    """,
    "password rules": """
        a: ACL SETUSER bob on >a >b #ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
        a: ACL GETUSER bob
        b: AUTH bob a
        b: AUTH bob b
        a: ACL SETUSER bob <a
        b: AUTH bob a
        a: ACL SETUSER bob !3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d
        b: AUTH bob b
        a: ACL SETUSER bob <a
        a: ACL SETUSER bob nopass
        b: AUTH bob whatever
        b: AUTH bob ""
        a: ACL SETUSER bob resetpass
        b: AUTH bob whatever
        a: ACL LIST
    """,
    "no auth before login": """
        a: ACL SETUSER default >pw
        b: PING
        b: HELLO
        b: QUIT
        c: NOSUCH
        c: GET
        c: AUTH default
        c: RESET
        c: MULTI
        c: HELLO 3 SETNAME x
        c: CLIENT GETNAME
        c: HELLO 3 AUTH default pw SETNAME y
        c: CLIENT GETNAME
        c: RESET
        c: CLIENT GETNAME
        a: ACL SETUSER default nopass
    """,
    "denied in a script in a transaction": """
        a: ACL SETUSER bob on nopass +eval +multi +exec ~k*
        b: AUTH bob x
        b: MULTI
        b: EVAL "return redis.pcall('get','a1')" 0
        b: eval "return redis.pcall('get',KEYS[1])" 1 k1
        b: EXEC
        b: eval "return redis.pcall('get',KEYS[1])" 1 k1
        b: auth bob2 y
        a: ACL LOG
    """,
}
