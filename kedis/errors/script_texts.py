"""Error texts of scripts and functions."""

from __future__ import annotations

NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
NEGATIVE_KEYS = "ERR Number of keys can't be negative"
MORE_KEYS_THAN_ARGUMENTS = "ERR Number of keys can't be greater than number of args"
NOT_BUSY = "NOTBUSY No scripts in execution right now."
UNKILLABLE = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
    "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
BUSY_SCRIPT = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
SCRIPT_KILLED = "ERR Script killed by user with SCRIPT KILL..."
FUNCTION_KILLED = "ERR Script killed by user with FUNCTION KILL..."
LOADING_TIMEOUT = "ERR FUNCTION LOAD timeout"
SCRIPT_STOPPED = "ERR Script ended because the server shuts down"
SCRIPT_FLUSH_OPTION = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
SCRIPT_DEBUG_OPTION = "ERR Use SCRIPT DEBUG YES/SYNC/NO"
NO_SCRIPT_DEBUGGER = "ERR the Lua debugger is not supported"

# What redis.call answers, and what refuses a script.
UNKNOWN_IN_SCRIPT = "ERR Unknown Redis command called from script"
WRONG_ARITY_IN_SCRIPT = "ERR Wrong number of args calling Redis command from script"
NOT_ALLOWED_IN_SCRIPT = "ERR This Redis command is not allowed from script"
READ_ONLY_SCRIPT = "ERR Write commands are not allowed from read-only scripts."
STALE_IN_SCRIPT = "ERR Can not execute the command on a stale replica"
WRITING_SCRIPT = "ERR Can not execute a script with write flag using *_ro command."
#: Why the user may not run a command that a script calls: for itself, a key, a channel.
DENIED_IN_SCRIPT = {
    1: "ERR The user executing the script can't run this command or subcommand",
    2: "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
    3: "ERR The user executing the script can't publish to the channel mentioned in the command",
}

NO_FUNCTION = "ERR Function not found"
BAD_KEY_COUNT = "ERR Bad number of keys provided"
NO_LIBRARY = "ERR Library not found"
NO_LIBRARY_METADATA = "ERR Missing library metadata"
BAD_LIBRARY_METADATA = "ERR Invalid library metadata"
NO_LIBRARY_NAME = "ERR Library name was not given"
LIBRARY_NAME_TWICE = "ERR Invalid metadata value, name argument was given multiple times"
BAD_LIBRARY_NAME = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
    "character long"
)
NO_FUNCTIONS = "ERR No functions registered"
FUNCTION_TWICE = "ERR Function already exists in the library"
UNKNOWN_FUNCTION_FLAG = "ERR unknown flag given"
FUNCTION_FLUSH_OPTION = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option"
RESTORE_POLICY = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
LIBRARY_NAME_MISSING = "ERR library name argument was not given"
NOT_A_FUNCTION = "ERR given type is not a function"
BAD_FUNCTION_PAYLOAD = "ERR failed loading library from payload"


def bad_metadata_value(word: str) -> str:
    """The error for a word of a library's header that is none."""
    return f"ERR Invalid metadata value given: {word}"


def engine_not_found(name: str) -> str:
    """The error for a library in another language."""
    return f"ERR Engine '{name}' not found"


def library_exists(name: str) -> str:
    """The error for a library whose name is taken."""
    return f"ERR Library '{name}' already exists"


def restored_library_exists(name: str) -> str:
    """The same for FUNCTION RESTORE."""
    return f"ERR Library {name} already exists"


def function_exists(name: str) -> str:
    """The error for a function whose name another library has."""
    return f"ERR Function {name} already exists"


def unknown_option(word: str) -> str:
    """The error for an option of FUNCTION LOAD that is none."""
    return f"ERR Unknown option given: {word}"


def unknown_argument(word: str) -> str:
    """The error for an argument of FUNCTION LIST that is none."""
    return f"ERR Unknown argument {word}"
