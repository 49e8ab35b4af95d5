"""Every error that goes over the wire.

A ``CommandError`` is the client's fault and is answered; any other exception is ours: it is logged with its
traceback at one boundary and answered ``-ERR internal error``.

An error travels as one line, ``-CODE text\\r\\n``.  The text kept here is that line without the leading
``-``, such as ``"WRONGTYPE Operation against ..."``.  The encoder makes sure that it stays one line.
"""

from __future__ import annotations

from kedis.errors.missing_families import missing_family

#: Characters from which a first word is no code.
_LONG_CODE = 32


class CommandError(Exception):
    """An error that is sent to the client.

    Args:
        text: the whole error line without the leading ``-``, beginning with its code.  Client bytes that are
            not UTF-8 are kept when they were decoded with ``surrogateescape``.

    Attributes:
        counted: whether it is counted as an error already, as that of another command.
    """

    counted = False

    @property
    def code(self) -> str:
        """The first word of the line, such as ``WRONGTYPE``; one word alone, a script's, counts as ``ERR``."""
        word, space, _ = str(self).partition(" ")
        return word if space and len(word) < _LONG_CODE else "ERR"


class ProtocolError(CommandError):
    """Bytes that are not RESP: the client is answered and closed, for nothing after them can be trusted.

    Attributes:
        commands: those that were complete before the fault; they are still to be run.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.commands: list[list[bytes]] = []


WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"

# Protocol errors, in Redis's words.
INVALID_MULTIBULK_LENGTH = "ERR Protocol error: invalid multibulk length"
INVALID_BULK_LENGTH = "ERR Protocol error: invalid bulk length"
UNAUTHENTICATED_MULTIBULK_LENGTH = "ERR Protocol error: unauthenticated multibulk length"
UNAUTHENTICATED_BULK_LENGTH = "ERR Protocol error: unauthenticated bulk length"
TOO_BIG_MULTIBULK_COUNT = "ERR Protocol error: too big mbulk count string"
TOO_BIG_BULK_COUNT = "ERR Protocol error: too big bulk count string"
TOO_BIG_INLINE_REQUEST = "ERR Protocol error: too big inline request"
UNBALANCED_QUOTES = "ERR Protocol error: unbalanced quotes in request"


def expected_dollar(got: int) -> str:
    """The error for an argument that begins with the byte ``got`` instead of ``$``."""
    return f"ERR Protocol error: expected '$', got '{bytes((got,)).decode('utf-8', 'surrogateescape')}'"


# Admission, in the order of its checks.

INTERNAL = "ERR internal error"
#: The process cannot get the memory that the request needs.  (Redis ends where an allocation fails.)
NO_MEMORY = "OOM command failed: not enough memory"
NO_AUTH = "NOAUTH Authentication required."
NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction"
LOADING = "LOADING Redis is loading the dataset in memory"
TOO_MANY_CLIENTS = "ERR max number of clients reached"
PROTECTED_MODE = (
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. Connect from the loopback interface, set a password with the requirepass setting, or turn "
    "protection off with 'protected-mode no'."
)

_DENIED = {
    1: "this user has no permissions to run the '{}' command",
    2: "this user has no permissions to access one of the keys used as arguments",
    3: "this user has no permissions to access one of the channels used as arguments",
}
_DENIED_IN_EXEC = {
    1: "no permission to execute the command or subcommand",
    2: "no permission to touch the specified keys",
    3: "no permission to access one of the channels used as arguments",
}


def no_permission(reason: int, command: str) -> str:
    """The error for a command that the user may not run: for itself (1), a key (2) or a channel (3)."""
    return "NOPERM " + _DENIED[reason].format(command)


def no_longer_permitted(reason: int) -> str:
    """The error for a queued command that the user may not run any more when EXEC comes."""
    return (
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command "
        f"is no longer allowed for the following reason: {_DENIED_IN_EXEC[reason]}"
    )


def unknown_command(name: bytes, shown_arguments: str) -> str:
    """The error for a command that is not in the table; the arguments are already cut to a sane length.

    It is Redis's, and for a command of a family that is missing it goes on to say so.
    """
    family = missing_family(name)
    missing = f"(Kedis has no {family} yet)" if family else ""
    return f"ERR unknown command '{_shown(name[:128])}', with args beginning with: {shown_arguments}{missing}"


def unknown_subcommand(name: bytes, container: str) -> str:
    """The error for a subcommand that ``container`` does not have."""
    return f"ERR unknown subcommand '{_shown(name[:128])}'. Try {container.upper()} HELP."


def wrong_arity(command: str) -> str:
    """The error for too few or too many arguments."""
    return f"ERR wrong number of arguments for '{command}' command"


def only_pubsub(command: str) -> str:
    """The error for an ordinary command of a subscribed RESP2 client."""
    return (
        f"ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
        "allowed in this context"
    )


# Arguments, common to all families.

SYNTAX = "ERR syntax error"
SORT_NOT_A_DOUBLE = "ERR One or more scores can't be converted into double"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
NOT_POSITIVE = "ERR value is out of range, must be positive"
NO_SUCH_KEY = "ERR no such key"
INDEX_OUT_OF_RANGE = "ERR index out of range"
INVALID_CURSOR = "ERR invalid cursor"
OUT_OF_RANGE = "ERR value is out of range"
OVERFLOW = "ERR increment or decrement would overflow"


# Strings.

DECREMENT_OVERFLOW = "ERR decrement would overflow"
OFFSET_OUT_OF_RANGE = "ERR offset is out of range"
STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
LCS_NOT_STRINGS = "ERR The specified keys must contain string values"
LCS_LEN_AND_IDX = "ERR If you want both the length and indexes, please just use IDX."
LCS_TOO_LARGE = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"


# Bits of strings.

BIT_OFFSET_OUT_OF_RANGE = "ERR bit offset is not an integer or out of range"
BIT_OUT_OF_RANGE = "ERR bit is not an integer or out of range"
BIT_NOT_0_OR_1 = "ERR The bit argument must be 1 or 0."
BITOP_NOT_SINGLE = "ERR BITOP NOT must be called with a single source key."
BITFIELD_TYPE = (
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)
BITFIELD_OVERFLOW = "ERR Invalid OVERFLOW type specified"
BITFIELD_READ_ONLY = "ERR BITFIELD_RO only supports the GET subcommand"


# HyperLogLog.

NOT_A_HYPERLOGLOG = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPT_HYPERLOGLOG = "INVALIDOBJ Corrupted HLL object detected"
NO_SUCH_HYPERLOGLOG = "ERR The specified key does not exist"
NOT_SPARSE = "ERR HLL encoding is not sparse"


def unknown_pfdebug(subcommand: bytes) -> str:
    return f"ERR Unknown PFDEBUG subcommand '{_shown(subcommand[:128])}'"


# Positions.

UNSUPPORTED_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"
COUNT_NOT_POSITIVE = "ERR COUNT must be > 0"
NO_SUCH_MEMBER = "ERR could not decode requested zset member"
RADIUS_NOT_A_NUMBER = "ERR need numeric radius"
RADIUS_NEGATIVE = "ERR radius cannot be negative"
WIDTH_NOT_A_NUMBER = "ERR need numeric width"
HEIGHT_NOT_A_NUMBER = "ERR need numeric height"
BOX_NEGATIVE = "ERR height or width cannot be negative"
ANY_WITHOUT_COUNT = "ERR the ANY argument requires COUNT argument"


def invalid_position(longitude: float, latitude: float) -> str:
    """The error for a longitude or latitude that the map does not have."""
    return f"ERR invalid longitude,latitude pair {longitude:f},{latitude:f}"


def store_with_decorations(name: str) -> str:
    """The error for a search that is to be stored and answered in full at once."""
    return f"ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"


def exactly_one(options: str, command: bytes) -> str:
    """The error for a search without a centre or without a shape, naming ``command`` as it was written."""
    return f"ERR exactly one of {options} can be specified for {_shown(command)}"


# Lists.

LIST_RANK_ZERO = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
    "start from the end of the list"
)
COUNT_NEGATIVE = "ERR COUNT can't be negative"
MAXLEN_NEGATIVE = "ERR MAXLEN can't be negative"
POP_COUNT_NOT_POSITIVE = "ERR count should be greater than 0"


# Transactions.

NESTED_MULTI = "ERR MULTI calls can not be nested"
WATCH_INSIDE_MULTI = "ERR WATCH inside MULTI is not allowed"
EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI"
EXEC_ABORTED = "EXECABORT Transaction discarded because of previous errors."


def exec_refused(reason: CommandError) -> str:
    """The error for an EXEC that is refused itself, or because of one of the queued commands."""
    return f"EXECABORT Transaction discarded because of: {str(reason).removeprefix('ERR ')}"


# Connections and clients.

DB_OUT_OF_RANGE = "ERR DB index is out of range"
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
AUTH_WITHOUT_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
PROTOCOL_NOT_A_NUMBER = "ERR Protocol version is not an integer or out of range"
UNSUPPORTED_PROTOCOL = "NOPROTO unsupported protocol version"
HELLO_NEEDS_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time"
)
BAD_CLIENT_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
INVALID_CLIENT_ID = "ERR Invalid client ID"
CLIENT_ID_NOT_POSITIVE = "ERR client-id should be greater than 0"
NO_SUCH_CLIENT = "ERR No such client"
BAD_PAUSE_MODE = "ERR CLIENT PAUSE mode must be WRITE or ALL"
BAD_UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
TIMEOUT_NOT_AN_INTEGER = "ERR timeout is not an integer or out of range"
TIMEOUT_NEGATIVE = "ERR timeout is negative"
TIMEOUT_NOT_A_FLOAT = "ERR timeout is not a float or out of range"
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


def hello_option(option: bytes) -> str:
    """The error for an option that HELLO does not have, or that lacks its values."""
    return f"ERR Syntax error in HELLO option '{_shown(option)}'"


def unknown_client_type(kind: bytes) -> str:
    """The error for CLIENT LIST TYPE and CLIENT KILL TYPE."""
    return f"ERR Unknown client type '{_shown(kind)}'"


def no_such_user(user: bytes) -> str:
    """The error for CLIENT KILL USER."""
    return f"ERR No such user '{_shown(user)}'"


def unrecognized_option(option: bytes) -> str:
    """The error for CLIENT SETINFO."""
    return f"ERR Unrecognized option '{_shown(option)}'"


def bad_library_info(option: bytes) -> str:
    """The error for a library name or version that would break the lines of CLIENT LIST."""
    return f"ERR {_shown(option)} cannot contain spaces, newlines or special characters."


# Client-side caching, MONITOR.

SECOND_REDIRECTION = "ERR A client can only redirect to a single other client"
NO_SUCH_REDIRECTION = "ERR The client ID you want redirect to does not exist"
PREFIX_NEEDS_BCAST = "ERR PREFIX option requires BCAST mode to be enabled"
CANNOT_SWITCH_BCAST = (
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
OPT_WITH_BCAST = "ERR OPTIN and OPTOUT are not compatible with BCAST"
OPTIN_AND_OPTOUT = "ERR You can't specify both OPTIN mode and OPTOUT mode"
CANNOT_SWITCH_OPT = (
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
    "with a different mode."
)
CACHING_WITHOUT_TRACKING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with "
    "OPTIN or OPTOUT mode enabled"
)
CACHING_YES_WITHOUT_OPTIN = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
CACHING_NO_WITHOUT_OPTOUT = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
MONITOR_IN_TRANSACTION = "ERR MONITOR isn't allowed for DENY BLOCKING client"
REPLICA_AND_KEYS = "ERR Replica can't interact with the keyspace"


def overlapping_prefixes(prefix: bytes, which: str, other: bytes) -> str:
    """The error for prefixes of CLIENT TRACKING of which one begins with the other."""
    return (
        f"ERR Prefix '{_shown(prefix)}' overlaps with {which} prefix '{_shown(other)}'. "
        "Prefixes for a single client must not overlap."
    )


# Keys, their time to live, databases.

NOT_AN_INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647"
SAME_OBJECT = "ERR source and destination objects are the same"
INVALID_FIRST_DB = "ERR invalid first DB index"
INVALID_SECOND_DB = "ERR invalid second DB index"
NX_AND_OTHERS = "ERR NX and XX, GT or LT options at the same time are not compatible"
GT_AND_LT = "ERR GT and LT options at the same time are not compatible"
CUT_OFF = "ERR The server shuts down, and nothing of this is kept"
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
LFU_NOT_SELECTED = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    "between policies at runtime LRU and LFU data will take some time to adjust."
)
LFU_SELECTED = (
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between "
    "policies at runtime LRU and LFU data will take some time to adjust."
)
DEBUG_NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the "
    "server."
)


def invalid_expire_time(command: str) -> str:
    """The error for a time to live that does not fit 64 bits of milliseconds."""
    return f"ERR invalid expire time in '{command}' command"


def unsupported_option(option: bytes) -> str:
    """The error for an option that EXPIRE and its like do not have."""
    return f"ERR Unsupported option {_shown(option)}"


def wrong_subcommand(subcommand: bytes, container: str) -> str:
    """The error for a subcommand that does not exist in this form."""
    shown = _shown(subcommand[:128])
    return f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try {container.upper()} HELP."


def _shown(word: bytes) -> str:
    """A client's word as an error repeats it: up to a NUL."""
    return word.partition(b"\0")[0].decode("utf-8", "surrogateescape")


# Sets and hashes.

SAMPLE_COUNT_OUT_OF_RANGE = (
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)
KEY_COUNT_NOT_POSITIVE = "ERR numkeys should be greater than 0"
KEY_COUNT_TOO_LARGE = "ERR Number of keys can't be greater than number of args"
LIMIT_NEGATIVE = "ERR LIMIT can't be negative"
HASH_VALUE_NOT_AN_INTEGER = "ERR hash value is not an integer"
HASH_VALUE_NOT_A_FLOAT = "ERR hash value is not a float"
NAN_OR_INFINITY = "ERR value is NaN or Infinity"
INCREMENT_TO_INFINITY = "ERR increment would produce NaN or Infinity"


# The server, its configuration and its command table.

NOT_A_COMMAND = "ERR Invalid command specified"
COMMAND_WITHOUT_KEYS = "ERR The command has no key arguments"
COMMAND_ARITY = "ERR Invalid number of arguments specified for command"
COMMAND_ARGUMENTS = "ERR Invalid arguments specified for command"
SLOWLOG_COUNT = "ERR count should be greater than or equal to -1"
NO_SHUTDOWN = "ERR No shutdown in progress."


NO_ACL_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration."
)
ACL_NOT_SAVED = (
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
)
GENPASS_BITS = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to "
    "4096"
)
USER_NAME = "ERR Usernames can't contain spaces or null characters"
DEFAULT_USER_STAYS = "ERR The 'default' user cannot be removed"
SORT_BY_DENIED = "ERR BY option of SORT denied due to insufficient ACL permissions."
SORT_GET_DENIED = "ERR GET option of SORT denied due to insufficient ACL permissions."


def acl_rule(rule: bytes, problem: str) -> str:
    """The error for a rule of ACL SETUSER."""
    return f"ERR Error in ACL SETUSER modifier '{_shown(rule.partition(bytes(1))[0])}': {problem}"


def unmatched_parenthesis(beginning: str) -> str:
    """The error for a selector of ACL SETUSER that does not end."""
    return f"ERR Unmatched parenthesis in acl selector starting at '{beginning}'."


def acl_file_unreadable(path: str, problem: str) -> str:
    """The error for ACL LOAD of a file that cannot be read."""
    return f"ERR Error loading ACLs, opening file '{path}': {problem}"


def user_not_found(name: bytes) -> str:
    """The error for ACL DRYRUN."""
    return f"ERR User '{_shown(name)}' not found"


def no_such_command(name: bytes) -> str:
    """The error for ACL DRYRUN."""
    return f"ERR Command '{_shown(name)}' not found"


def dry_run_denied(reason: int, denied: bytes) -> bytes:
    """What ACL DRYRUN answers where the user may not: no error."""
    if reason == 1:
        return b"This user has no permissions to run the '%b' command" % denied
    return b"This user has no permissions to access the '%b' %b" % (
        denied,
        b"key" if reason == 2 else b"channel",
    )


def unknown_category(category: bytes) -> str:
    """The error for ACL CAT."""
    return f"ERR Unknown category '{_shown(category)}'"


def no_latency_samples(event: bytes) -> str:
    """The error for a class of events without samples in LATENCY GRAPH."""
    return f"ERR No samples available for event '{_shown(event)}'"


# The append-only file.

NO_PERSISTENCE = "ERR Background append only file rewriting is not possible: nothing is kept on disk here"
REWRITE_NOT_STARTED = (
    "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
)
REWRITE_IN_PROGRESS = "ERR Background append only file rewriting already in progress"


def aof_write_error(reason: str) -> str:
    """The refusal of writes (-MISCONF) while the append-only file cannot be written or synced."""
    return f"MISCONF Errors writing to the AOF file: {reason}"


# Sorted sets.

NX_AND_XX = "ERR XX and NX options at the same time are not compatible"
GT_LT_AND_NX = "ERR GT, LT, and/or NX options at the same time are not compatible"
INCR_OF_SEVERAL = "ERR INCR option supports a single increment-element pair"
SCORE_NOT_A_NUMBER = "ERR resulting score is not a number (NaN)"
RANGE_NOT_A_FLOAT = "ERR min or max is not a float"
RANGE_NOT_A_STRING = "ERR min or max not valid string range item"
LIMIT_OF_RANKS = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
SCORES_OF_NAMES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
WEIGHT_NOT_A_FLOAT = "ERR weight value is not a float"
NEGATIVE_LIMIT = "ERR LIMIT can't be negative"


def no_input_keys(command: str) -> str:
    """The error for a count of keys below 1."""
    return f"ERR at least 1 input key is needed for '{command}' command"


# DUMP, RESTORE, SAVE, MIGRATE.

BUSY_KEY = "BUSYKEY Target key name already exists."
INVALID_TTL = "ERR Invalid TTL value, must be >= 0"
INVALID_IDLETIME = "ERR Invalid IDLETIME value, must be >= 0"
INVALID_FREQ = "ERR Invalid FREQ value, must be >= 0 and <= 255"
DUMP_FOOTER = "ERR DUMP payload version or checksum are wrong"
DUMP_FORMAT = "ERR Bad data format"


def unsupported_payload(what: str) -> str:
    return f"{DUMP_FORMAT}: the payload holds {what}, which this version cannot hold (see unsupported-data)"


MIGRATE_KEY_AND_KEYS = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
MIGRATE_WRITING = "IOERR error or timeout writing to target instance"
MIGRATE_READING = "IOERR error or timeout reading from target instance"
MIGRATE_NOWHERE = "ERR MIGRATE needs a server of its own, and cannot run inside a transaction"
#: The reason is in the log, as in Redis.
SAVE_FAILED = "ERR"
SHUTDOWN_FAILED = "ERR Errors trying to SHUTDOWN. Check logs."
RELOAD_OPTIONS = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
REWRITE_ALL_FAILED = "ERR CONFIG-REWRITE-FORCE-ALL failed: Bad address"
PROTOCOL_TYPE = (
    "ERR Wrong protocol type name. Please use one of the following: "
    "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
)
NOT_IN_RESP2 = "ERR RESP2 is not supported by this command"
PACKED_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
NOT_AN_SDS = "ERR Not an sds encoded string."
NO_HASH_TABLE = "ERR The value stored at the specified key is not represented using an hash table"
DEBUG_DATABASE = "ERR Out of range database"


def not_encoded_so(encoding: str) -> str:
    return f"ERR Not a {encoding} encoded object."


RELOAD_FAILED = "ERR Error trying to load the RDB dump"
AOF_LOAD_FAILED = "ERR Error trying to load the AOF files, check server logs."
AOF_LACKS_DATA = (
    "ERR there is no append-only file to load: it was never written, or its base is being written now"
)
AOF_LACKS_UNIT = "ERR DEBUG LOADAOF cannot run inside a transaction, which is not in the file yet"
BGSAVE_IN_PROGRESS = "ERR Background save already in progress"
BGSAVE_ANOTHER_CHILD = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule "
    "a BGSAVE whenever possible."
)
BGSAVE_FAILED = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled, because this instance is configured to report errors during writes if "
    "RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the "
    "RDB error."
)


def target_error(reply: str) -> str:
    """The error for a server that refuses what MIGRATE sends it."""
    return f"ERR Target instance replied with error: {reply}"


def migrated_key_changed(key: bytes) -> str:
    """The error for a key that MIGRATE has copied, and could not delete."""
    return f"ERR '{_shown(key)}' was changed while it was migrated: it was copied, and stays"


# Replication.

NO_REPLICAS_HERE = "ERR an engine without a network has no replicas"
PENDING_OUTPUT = "ERR SYNC and PSYNC are invalid with pending output"
FEW_REPLICAS = "NOREPLICAS Not enough good replicas to write."
REPLCONF_ADDRESS_TOO_LONG = "ERR REPLCONF ip-address provided by replica instance is too long: %d bytes"


WAIT_ON_REPLICA = (
    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured "
    "to be writable (which is not the default) writes to replicas are just local and are not propagated."
)
NO_MASTER_LINK = "NOMASTERLINK Can't SYNC while not connected with my master"


def unknown_snapshot_part(name: bytes) -> str:
    """The error for a part of a snapshot that REPLCONF rdb-filter-only does not know."""
    return f"ERR Unsupported rdb-filter-only option: {_shown(name)}"


def unknown_replconf_option(option: bytes) -> str:
    """The error for an option that REPLCONF does not know."""
    return f"ERR Unrecognized REPLCONF option: {_shown(option)}"


# Cluster and modules, which Kedis lacks.

READ_ONLY_REPLICA = "READONLY You can't write against a read only replica."
MASTER_DOWN = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
BECAME_REPLICA = (
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)
NO_REPLICATION = "ERR this server cannot be a replica"
INVALID_MASTER_PORT = "ERR Invalid master port"
NO_FAILOVER = "ERR No failover in progress."
FAILOVER_TIMEOUT = "ERR FAILOVER timeout must be greater than 0"
FAILOVER_WITHOUT_REPLICAS = "ERR FAILOVER requires connected replicas."
FAILOVER_ON_REPLICA = "ERR FAILOVER is not valid when server is a replica."
FAILOVER_UNDER_WAY = "ERR FAILOVER already in progress."
FAILOVER_FORCE = "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
FAILOVER_NOT_A_REPLICA = "ERR FAILOVER target HOST and PORT is not a replica."
FAILOVER_NOT_ONLINE = "ERR FAILOVER target replica is not online."
TAKEOVER_OF_MASTER = "ERR PSYNC FAILOVER can't be sent to a master."
TAKEOVER_OF_OTHER = "ERR PSYNC FAILOVER replid must match my replid."
CLUSTER_DISABLED = "ERR This instance has cluster support disabled"
MODULE_NOT_ALLOWED = (
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from '
    "a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
)
