"""Stories of users: logins, ACL LOG, what becomes of connections, what MONITOR and CLIENT LIST show."""

from __future__ import annotations

#: What each is about, and its script (:mod:`tests.differential.scenarios`).
USERS = {
    "log groups": """
        a: ACL SETUSER bob on nopass +get +multi +exec +eval +auth ~k*
        b: AUTH bob x
        b: GET a1
        b: SET k v
        b: GET a1
        b: SET k v
        b: SET a1 v
        b: EVAL "return redis.call('get','a1')" 0
        b: EVAL "return redis.pcall('set','k1', 1)" 0
        b: EVAL "return redis.pcall('get',KEYS[1])" 1 a1
        b: MULTI
        b: GET a1
        b: SET k v
        b: EXEC
        b: MULTI
        b: GET k1
        a: ACL SETUSER bob resetkeys
        b: EXEC
        b: AUTH bob2 x
        b: AUTH nosuch x
        b: AUTH nosuch x
        a: ACL LOG
        a: ACL LOG 2
        a: ACL LOG 0
        a: ACL LOG -3
        a: ACL LOG RESET
        a: ACL LOG
    """,
    "log length": """
        a: ACL SETUSER bob on nopass +get ~k*
        b: AUTH bob x
        b: GET a1
        b: GET a2
        b: GET a3
        b: GET a4
        b: GET a5
        a: CONFIG SET acllog-max-len 3
        a: ACL LOG 99
        b: GET a1
        a: ACL LOG 99
        a: CONFIG SET acllog-max-len 0
        a: ACL LOG 99
        b: GET a7
        a: ACL LOG 99
        a: CONFIG SET acllog-max-len 128
        b: GET a7
        b: GET a8
        a: ACL LOG 99
    """,
    "log of resp3": """
        a: HELLO 3
        a: ACL SETUSER bob on nopass +get ~k*
        b: AUTH bob x
        b: GET a1
        a: ACL LOG
    """,
    "log compares ten": """
        a: ACL SETUSER bob on nopass +get ~k*
        b: AUTH bob x
        b: GET a1
        b: GET a2
        b: GET a3
        b: GET a4
        b: GET a5
        b: GET a6
        b: GET a7
        b: GET a8
        b: GET a9
        b: GET a10
        b: GET a1
        b: GET a11
        b: GET a2
        a: ACL LOG 99
    """,
    "clients of a deleted user": """
        a: ACL SETUSER bob on nopass +@all ~* &*
        a: ACL SETUSER carl on nopass +@all ~* &*
        b: AUTH bob x
        c: AUTH carl x
        b: BLPOP list 0
        a: ACL DELUSER bob nosuch
        c: PING
        c: ACL DELUSER carl
        a: ACL USERS
    """,
    "deleted while subscribed, watching, monitoring": """
        a: ACL SETUSER bob on nopass +@all ~* &*
        b: AUTH bob x
        c: AUTH bob x
        d: AUTH bob x
        b: SUBSCRIBE ch
        c: WATCH k
        c: MULTI
        c: SET k v
        d: MONITOR
        a: ACL DELUSER bob
        a: GET k
    """,
    "deleted by a script": """
        b: ACL SETUSER bob on nopass +@all ~* &*
        b: AUTH bob x
        b: EVAL "return redis.pcall('acl','deluser','bob')" 0
        b: ACL WHOAMI
    """,
    "a changed user stays": """
        a: ACL SETUSER bob on >x +@all ~* &*
        b: AUTH bob x
        b: BLPOP list 0
        c: AUTH bob x
        a: ACL SETUSER bob off -@all resetkeys resetpass
        c: GET k
        a: LPUSH list 1
        b: GET k
        b: AUTH bob x
        b: ACL WHOAMI
    """,
    "subscribers": """
        a: ACL SETUSER bob on nopass +@all ~* resetchannels &a &b* &c
        b: AUTH bob x
        c: AUTH bob x
        d: AUTH bob x
        e: AUTH bob x
        b: SUBSCRIBE a
        c: SUBSCRIBE b1
        d: PSUBSCRIBE b*
        e: SSUBSCRIBE c
        a: ACL SETUSER bob &x
        a: ACL SETUSER bob allchannels
        a: ACL SETUSER bob resetchannels &a &b1
        a: ACL SETUSER bob resetchannels
    """,
    "subscribers pattern kept literally": """
        a: ACL SETUSER bob on nopass +@all ~* resetchannels &a*
        b: AUTH bob x
        c: AUTH bob x
        b: PSUBSCRIBE a*
        c: SUBSCRIBE ab
        a: ACL SETUSER bob resetchannels &a* &c
        a: ACL SETUSER bob resetchannels &ab
    """,
    "subscribers by selectors": """
        a: ACL SETUSER bob on nopass resetchannels +@all (&x +@all) (&y +@all)
        b: AUTH bob x
        c: AUTH bob x
        b: SUBSCRIBE x
        c: SUBSCRIBE y
        a: ACL SETUSER bob clearselectors (&x +@all)
        a: ACL SETUSER bob clearselectors
    """,
    "subscriber that reset": """
        a: ACL SETUSER bob on nopass +@all ~* resetchannels &a
        b: AUTH bob x
        b: SUBSCRIBE a
        a: ACL SETUSER bob reset
        a: ACL SETUSER bob2 on nopass +@all ~* resetchannels &a
        c: AUTH bob2 x
        c: SUBSCRIBE a
        c: ACL SETUSER bob2 resetchannels
        c: HELLO 3
        c: PING
    """,
    "acl load": """
        a: ACL SETUSER bob on nopass +@all ~* &*
        a: ACL SETUSER carl on nopass +@all ~* &*
        a: ACL SAVE
        b: AUTH bob x
        c: AUTH carl x
        d: SUBSCRIBE ch
        a: ACL LOAD
        a: ACL SETUSER dora on nopass +@all ~*
        e: AUTH dora x
        e: ACL LOAD
        a: ACL USERS
        f: AUTH bob x
        f: MULTI
        f: SET k v
        f: ACL LOAD
        f: EXEC
    """,
    "auth": """
        a: AUTH x
        a: AUTH default x
        a: AUTH default
        a: AUTH
        a: AUTH a b c
        a: ACL SETUSER default >pw
        a: AUTH x
        a: AUTH default x
        a: AUTH default pw
        a: AUTH pw
        a: ACL SETUSER default off
        a: AUTH pw
        a: AUTH default pw
        b: PING
        b: AUTH pw
        a: ACL SETUSER default on nopass
        b: AUTH pw
        b: PING
        a: CONFIG SET requirepass s
        b: PING
        c: AUTH s
        a: CONFIG SET requirepass ""
        a: ACL LOG
    """,
    "auth as another keeps": """
        a: ACL SETUSER bob on >x +@all ~* &*
        a: ACL SETUSER off off >x +@all ~* &*
        b: AUTH bob x
        b: AUTH bob wrong
        b: ACL WHOAMI
        b: AUTH off x
        b: ACL WHOAMI
        b: SELECT 3
        b: CLIENT SETNAME me
        b: AUTH default x
        b: ACL WHOAMI
        b: CLIENT GETNAME
        b: RESET
        b: ACL WHOAMI
    """,
    "hello auth": """
        a: ACL SETUSER bob on >x +@all ~* &*
        b: HELLO 3 AUTH bob wrong
        b: HELLO
        b: HELLO 3 AUTH bob x SETNAME me
        b: ACL WHOAMI
        b: HELLO 2 SETNAME you AUTH bob wrong
        b: CLIENT GETNAME
        b: HELLO 3 AUTH bob
        b: HELLO 3 AUTH bob wrong AUTH bob x
        b: HELLO 3 AUTH bob x AUTH nosuch y
        b: HELLO 4 AUTH bob x
        b: ACL LOG
    """,
    "hello auth in multi": """
        a: ACL SETUSER bob on >x +@all ~* &*
        b: MULTI
        b: HELLO 3 AUTH bob wrong
        b: EXEC
        b: MULTI
        b: HELLO 3 AUTH bob x
        b: PING
        b: EXEC
        b: ACL WHOAMI
        b: MULTI
        b: HELLO 2 AUTH bob wrong SETNAME me
        b: ACL WHOAMI
        b: EXEC
        b: MULTI
        b: AUTH bob wrong
        b: ACL WHOAMI
        b: AUTH default x
        b: ACL WHOAMI
        b: EXEC
        b: MULTI
        b: HELLO 5
        b: HELLO x
        b: EXEC
        a: ACL LOG
    """,
    "hello without auth in multi": """
        a: ACL SETUSER bob on >x +@all ~* &*
        a: ACL SETUSER default >pw
        b: HELLO 3
        b: MULTI
        b: AUTH pw
        b: MULTI
        b: HELLO 3 AUTH default wrong
        b: EXEC
        a: ACL SETUSER default nopass
    """,
    "monitor": """
        m: MONITOR
        a: AUTH secret
        a: AUTH bob secret
        a: HELLO 2 AUTH bob secret
        a: HELLO 2 AUTH default secret SETNAME me
        a: ACL SETUSER bob on >secret nopass +@all ~* &*
        a: ACL GETUSER bob
        a: CONFIG SET requirepass secret
        a: CONFIG SET requirepass ""
        a: CONFIG SET masterauth secret
        a: MIGRATE 127.0.0.1 1 k 0 10 AUTH secret
        a: MIGRATE 127.0.0.1 1 k 0 10 AUTH2 bob secret
        a: MIGRATE 127.0.0.1 1 k 0 10 COPY auth2 bob secret KEYS k2 k3
        a: MIGRATE 127.0.0.1 1 k 0 10 AUTH secret AUTH secret
        a: MULTI
        a: AUTH secret
        a: AUTH bob secret
        a: HELLO 2 AUTH default secret
        a: ACL SETUSER bob >secret
        a: CONFIG SET masterauth secret
        a: MIGRATE 127.0.0.1 1 k 0 10 AUTH secret
        a: EXEC
        a: AUTH default s
        a: EVAL "return redis.pcall('migrate','127.0.0.1', 1, 'k', 0, 10, 'AUTH', 'secret')" 0
        a: EVAL "return redis.pcall('auth','secret')" 0
        a: EVAL "return redis.call('get','k')" 0
        a: EVAL "return redis.pcall('acl','setuser','bob','>secret')" 0
        a: AUTH bob secret
        a: AUTH
    """,
    "monitor right lost": """
        a: ACL SETUSER bob on nopass +@all ~* &*
        m: AUTH bob x
        m: MONITOR
        a: SET k v
        a: ACL SETUSER bob -monitor
        a: SET k v
    """,
    "queued and running": """
        a: MULTI
        a: CLIENT INFO
        a: SET k v
        b: ECHO first
        a: CLIENT INFO
        b: CLIENT LIST ID {a}
        a: EXEC
        b: CLIENT LIST ID {a}
        a: MULTI
        a: NOSUCH
        a: CLIENT LIST ID {a}
        b: CLIENT LIST ID {a}
        a: EXEC
        a: CLIENT INFO
    """,
}
