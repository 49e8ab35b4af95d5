"""The rules of the architecture that imports can show, and functions that find what breaks them.

A module is named by its dotted name without ``kedis.``: ``server.cron``; a package's ``__init__`` by the package
(``config``), Kedis's own by ``__init__``.  Everything that names a module counts as an import: statements anywhere in
the file, those under ``TYPE_CHECKING`` included, ``import kedis`` and ``importlib.import_module("kedis.…")``.
Modules in Cython count, too, with the files that they include.

``python -m ops.package_table`` writes :data:`PACKAGES` and :data:`LAYERS` into the docs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kedis"

#: Lowest first; each line's packages may import those of the lines before it, and not each other.  A module that
#: is named here itself has that place, and not its package's: ``native`` alone is for all to ask which path runs.
PACKAGES: list[dict[str, str]] = [
    {
        "process": "real threads, forks and clocks of the process; what systems other than Linux lack",
        "structures": "skip list, scan index, HyperLogLog, globs …: they know nothing of Redis",
        "version": "the version numbers",
    },
    {
        "native": "which path serves requests, the native one or Python, and why",
        "native.pools": "empty pools of Python's allocator, given back to the system, in Cython",
    },
    {"errors": "`CommandError` and every error text of the wire; the log of internal errors"},
    {"config": "every setting once: name, type, default, bounds, help; flags, files, CONFIG REWRITE"},
    {"resp": "the wire format, without sockets"},
    {"store": "databases, expiry, eviction, lazy free, access tracking"},
    {"rdb": "the RDB format, without files"},
    {"engine": "command table, client, the loop over requests, admission, blocking, maxmemory"},
    {"native.path": "a request from its bytes to its reply, in Cython"},
    {
        "native.lua_bridge": "calls of scripts, and EVALSHA, in Cython and C",
        "native.recovery": "recorded commands from their bytes, in Cython",
        "native.snapshot_records": "records of a snapshot from their bytes, in Cython",
    },
    {"scripting": "Lua scripts and functions: the interpreter, its sandbox, libraries, one run"},
    {"commands": "the handlers, one module per family; `parsing/` for their arguments"},
    {
        "observability": "histograms, slow log, INFO, metrics, figures of the live page",
        "persistence": "the append-only file, RDB files, forked children",
    },
    {"replication": "what a master and its replicas say to each other, and the stream, without sockets"},
    {
        "native.loop": "receiving and sending, in Cython",
        "native.routing": "the requests and replies of a router, in Cython",
    },
    {
        "embedded": "`kedis.connect()`, `aconnect()`, `patch()`: the engine in the program's own process",
        "server": "sockets and greenlets: listeners, connections, turns, cron, group commit, metrics, live page",
    },
    {"router": "the same port in front of a cluster, another server or a Sentinel group"},
    {"__init__": "`kedis.Server`, `connect`, `aconnect`, `patch`"},
    {
        "cli": "`kedis-server`, `kedis-cli`, `kedis-benchmark`, the checkers of files",
        "pytest_plugin": "fixtures for the tests of other programs",
    },
    {"__main__": "`python -m kedis`"},
]

#: Layers inside a package, lowest first.  A module may import from its own layer and from those before it; ``*`` is
#: every module and package that no layer names.
LAYERS: dict[str, list[tuple[str, set[str]]]] = {
    "cli": [
        ("terminals and standard streams", {"standard_streams", "terminal_text", "tls_client"}),
        ("programs", {"benchmark", "check_aof", "check_rdb", "client", "server"}),
    ],
    "cli.benchmark": [
        ("what is measured", {"distributions", "server_under_test", "templates", "workload"}),
        ("measuring", {"driver", "latency_histogram", "machine", "measurement", "own_servers", "processes"}),
        ("runs and their report", {"plot", "published", "report", "runs"}),
        ("the program", {"command_line", "main", "progress_line"}),
    ],
    "cli.client": [
        ("a connection", {"expected", "link", "target", "wire"}),
        (
            "text",
            {
                "catalogue",
                "confirm",
                "display",
                "entry_table",
                "json_layout",
                "listening",
                "manual",
                "output",
                "render",
                "score_table",
                "secrets",
            },
        ),
        (
            "what is run",
            {"completion", "history", "lua_files", "modes", "oneshot", "peek", "pipe", "standalone"},
        ),
        ("the interactive session", {"builtins", "meta_commands", "session", "shell"}),
        ("the command line", {"arguments", "main", "scripts"}),
    ],
    "cli.client.standalone": [
        ("values, files, the terminal", {"home", "key_values", "probe", "settled", "terminal", "timefmt"}),
        ("both sides", {"divergence", "export", "local", "reconcile", "server_snapshot", "standalone_link"}),
        ("the session", {"actions", "dialogue", "fallback", "offline_session", "standalone_commands"}),
    ],
    "commands": [("arguments", {"parsing"}), ("families", {"*"})],
    "config": [
        ("words and types", {"config_errors", "list_types", "setting_types", "syntax"}),
        (
            "the settings",
            {"declare", "ignored", "replica_settings", "settings_table", "tls_settings", "upstream_settings"},
        ),
        ("the current values", {"load", "settings"}),
        ("as programs give them", {"keywords"}),
        ("texts", {"describe", "file_rewrite"}),
    ],
    "engine": [
        (
            "the table and the stream",
            {"counters", "debug_switches", "execution", "flags", "keyspec", "propagation", "table"},
        ),
        ("clients as others see them", {"pubsub", "notifications", "tracking", "transport", "waiting"}),
        ("access rules", {"acl_log", "acl_rules", "acl_selector", "permits"}),
        (
            "services",
            {
                "absent",
                "acl_file",
                "blocking",
                "keyspace_events",
                "maxmemory",
                "ports",
                "replication_ports",
                "restrictions",
                "users",
            },
        ),
        ("the client", {"client"}),
        ("admission and hooks", {"admission", "client_line", "denials", "instrumentation"}),
        ("the call", {"call"}),
        ("the loop", {"engine"}),
    ],
    "store": [
        ("account and events", {"account", "events", "mixing"}),
        ("types", {"types"}),
        ("state", {"access", "lazyfree", "state"}),
        ("databases", {"database", "key_table"}),
        ("the keyspace", {"eviction", "keyspace"}),
        ("over all keys", {"digest", "expiry", "moving"}),
    ],
    "observability": [
        (
            "counters",
            {
                "client_totals",
                "gc_pauses",
                "latency",
                "network_figures",
                "process_memory",
                "rates",
                "recent",
                "slowlog",
                "sparkline",
                "turns",
            },
        ),
        ("figures", {"figures"}),
        ("INFO", {"info", "info_tables"}),
        ("observer", {"observer"}),
        (
            "metrics",
            {
                "exposition",
                "metrics",
                "metrics_family",
                "metrics_kedis",
                "metrics_reading",
                "metrics_redis",
                "metrics_replication",
                "metrics_router",
                "metrics_streams",
            },
        ),
        ("the live page", {"live_figures", "live_history"}),
    ],
    "router": [
        (
            "without sockets",
            {
                "hash_slots",
                "joining",
                "plain_forms",
                "planning",
                "redirection",
                "router_settings",
                "scan_cursor",
                "scan_notes",
                "shard_views",
                "topology",
                "transaction_wire",
                "flow",
                "python_flow",
                "upstream_request",
                "upstream_url",
            },
        ),
        ("nodes", {"dialing", "parts", "tls_probe", "upstream_pipe", "upstream_tls"}),
        ("all nodes", {"fleet"}),
        (
            "what they say by themselves",
            {"cluster_scan", "discovery", "upstream_keyspace", "upstream_subscriptions"},
        ),
        ("clients that wait", {"own_connection", "waiting_connection"}),
        ("clients", {"routed_connection"}),
        ("the server", {"router_app", "router_server"}),
    ],
    "scripting": [
        ("crossing the bridge", {"binary", "bytecode", "codes", "headers"}),
        ("values", {"from_lua", "to_lua"}),
        ("the interpreter", {"runtime"}),
        ("libraries and one run", {"libraries", "script_run"}),
        ("scripts of an engine", {"service"}),
    ],
    "resp": [("values", {"values"}), ("parser and encoder", {"*"})],
    "server": [
        (
            "accepting, HTTP, the process",
            {
                "daemon",
                "http_requests",
                "http_server",
                "listener",
                "log_handlers",
                "oom_adjustment",
                "outgoing",
                "receive_buffer",
                "service_manager",
                "start_error",
            },
        ),
        ("TLS", {"certificate_dates", "made_certificates", "tls", "tls_context", "tls_socket"}),
        ("shared state", {"before_sleep", "client_eviction", "listeners", "network", "peer"}),
        (
            "clients and periodic work",
            {
                "connection",
                "cron",
                "deadlines",
                "defragmentation",
                "loading",
                "memory_relief",
                "migration",
                "sender",
                "tls_handshakes",
            },
        ),
        ("durability", {"aof_faults", "aof_policy", "group_commit", "snapshot_policy"}),
        ("HTTP pages", {"live_page", "page_access"}),
        ("following a master", {"following", "link_log", "master_link", "snapshot_intake"}),
        ("being followed", {"failover", "full_sync", "replica_link", "replication", "shutdown"}),
        ("servers", {"app", "metrics_http", "network_server", "threaded_server"}),
    ],
}

#: Packages that may import gevent, and the one module beside them: it gets real threads under gevent's monkey patch.
MAY_WAIT = {"server", "cli", "router"}
MAY_IMPORT_GEVENT = {"process.threads"}

#: What touches the keyspace neither waits nor talks to the outside: none of this in these packages ...
CANNOT_WAIT = {"structures", "resp", "store", "rdb", "engine", "native.path", "native.lua_bridge", "commands"}
FORBIDDEN_MODULES = {
    "_socket",
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
}
FORBIDDEN_CALLS = {"open", "io.open", "os.fork", "os.open", "os.popen", "os.system", "time.sleep"}
#: ... but here, for a reason.
ALLOWED: dict[tuple[str, str], str] = {
    ("engine.call", "logging"): "the one boundary at which internal errors of handlers are logged",
}

#: Modules that import by a name made at run time, and what these names may be.
UNKNOWN_IMPORTS: dict[str, str] = {
    "commands": "the modules of its own folder",
    "process.system": "modules of the standard library that not every system has",
    "process.threads": "modules of the standard library, as they were before gevent's monkey patch",
}

#: Base names that several modules bear, and why that is one idea.
SAME_IDEA: dict[str, str] = {
    "__main__": "the entry of `python -m`",
    "hyperloglog": "the data structure, and the commands on it",
    "lists": "the data structure, and the commands on it",
    "main": "the entry of a program",
    "pubsub": "the channels, and the commands on them",
    "strings": "operations on the value, and the commands on it",
}
_CYTHON_IMPORT = re.compile(r"^[ \t]*(from\s+(\S+)\s+c?import|c?import)\s+([\w., ]+)", re.MULTILINE)
_CYTHON_INCLUDE = re.compile(r'^include "(.+)"$', re.MULTILINE)

Sources = Mapping[str, str]
Graph = dict[str, dict[str, int]]


def sources(package: Path = PACKAGE) -> dict[str, str]:
    """Every module of ``package`` by name, with its text; of those in Cython the imports, in Python's words."""
    found = {_name(path.relative_to(package)): path.read_text() for path in sorted(package.rglob("*.py"))}
    for path in sorted(package.rglob("*.pyx")):
        found[_name(path.relative_to(package))] = cython_imports(_with_includes(path))
    return found


def _with_includes(path: Path) -> str:
    """The text of a module in Cython, of its declarations, and of the files that it includes."""
    declared = path.with_suffix(".pxd")
    text = path.read_text() + (declared.read_text() if declared.exists() else "")
    return text + "".join((path.parent / name).read_text() for name in _CYTHON_INCLUDE.findall(text))


def cython_imports(text: str) -> str:
    """The imports of a module in Cython, ``cimport`` included, as a module in Python that has nothing else."""
    return "".join(
        f"from {source} import {names.strip()}\n" if source else f"import {names.strip()}\n"
        for _, source, names in _CYTHON_IMPORT.findall(text)
    )


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def place_of(module: str) -> str:
    """The entry of :data:`PACKAGES` that ``module`` falls under: itself, or the package at the top."""
    return module if module in {name for names in PACKAGES for name in names} else top_of(module)


def top_of(module: str) -> str:
    """The package, or module, of the top level that ``module`` is or belongs to."""
    return module.partition(".")[0]


# -- imports ----------------------------------------------------------------------------------------------


def imported_names(text: str) -> Iterator[tuple[str, int]]:
    """Every name that a module imports, in full, and the line: ``os``, ``kedis.config.Config``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            yield _constant_start(node.args[0]), node.lineno


def _constant_start(node: ast.AST) -> str:
    """The known part of a name made at run time: ``kedis.commands`` of ``f"kedis.commands.{family}"``; may be empty."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return str(node.value).removesuffix(".") if isinstance(node, ast.Constant) else ""


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def graph_of(modules: Sources) -> Graph:
    """Module -> the modules of Kedis that it imports, each with a line."""
    graph: Graph = {}
    for module, text in modules.items():
        edges = graph[module] = {}
        for name, line in imported_names(text):
            target = _module_of(name, modules)
            if target is not None and target != module:
                edges.setdefault(target, line)
    return graph


def _module_of(name: str, modules: Sources) -> str | None:
    """The module that an imported name is, or is from; None outside Kedis."""
    top, _, rest = name.partition(".")
    if top != "kedis":
        return None
    while rest and rest not in modules:
        rest = rest.rpartition(".")[0]
    return rest or "__init__"


# -- rules: each returns what breaks it, a line of text each ----------------------------------------------


def upward_imports(graph: Graph) -> list[str]:
    """Imports of a package that is not below."""
    level = {name: number for number, names in enumerate(PACKAGES) for name in names}
    return [
        f"{module}:{line} imports {target}, which is not below it"
        for module, edges in graph.items()
        for target, line in edges.items()
        if place_of(module) != place_of(target) and level[place_of(target)] >= level[place_of(module)]
    ]


def layer_faults(graph: Graph) -> list[str]:
    """Imports of a higher layer of the same package; modules without a layer, and names without a module."""
    faults = []
    for package, layers in LAYERS.items():
        inside = f"{package}."
        level = {name: number for number, (_, names) in enumerate(layers) for name in names}
        other = level.pop("*", None)
        members = {
            module: module.removeprefix(inside).partition(".")[0]
            for module in graph
            if module.startswith(inside)
        }
        faults += [f"{package} has no {name}" for name in level.keys() - set(members.values())]
        if other is None:
            faults += [f"{package} has no layer for {name}" for name in set(members.values()) - level.keys()]
        for module, member in members.items():
            for target, line in graph[module].items():
                if target in members and level.get(members[target], other) > level.get(member, other):  # type: ignore[operator]
                    faults.append(f"{module}:{line} imports {target}, which is in a layer above it")
    return sorted(faults)


def gevent_imports(modules: Sources) -> list[str]:
    """gevent where nothing may wait."""
    return [
        f"{module}:{line} imports {name}, but only {', '.join(sorted(MAY_WAIT))} may wait"
        for module, text in modules.items()
        if top_of(module) not in MAY_WAIT and module not in MAY_IMPORT_GEVENT
        for name, line in imported_names(text)
        if top_of(name) in ("gevent", "greenlet")
    ]


def unknown_imports(modules: Sources) -> set[str]:
    """Modules that import by a name which the text does not tell."""
    return {module for module, text in modules.items() if any(not name for name, _ in imported_names(text))}


def outside_world(modules: Sources) -> dict[tuple[str, str], int]:
    """Module and forbidden name -> line, for the packages that cannot wait."""
    found: dict[tuple[str, str], int] = {}
    for module, text in modules.items():
        if place_of(module) not in CANNOT_WAIT:
            continue
        for name, line in imported_names(text):
            if top_of(name) in FORBIDDEN_MODULES:
                found[module, top_of(name)] = line
            elif name in FORBIDDEN_CALLS:
                found[module, name] = line
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and (name := _dotted(node.func)) in FORBIDDEN_CALLS:
                found[module, name] = node.lineno
    return found


def repeated_names(modules: Iterable[str]) -> dict[str, list[str]]:
    """Base name -> the modules that bear it, where there are several."""
    bearers: dict[str, list[str]] = {}
    for module in modules:
        bearers.setdefault(module.rpartition(".")[2], []).append(module)
    return {name: where for name, where in bearers.items() if len(where) > 1}


# -- circles ----------------------------------------------------------------------------------------------


def circles(graph: Graph) -> list[set[str]]:
    """The strongly connected components of more than one module (Tarjan).  O(modules + imports)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in graph[module]:
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            component = set(stack[stack.index(module) :])
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(component)

    for module in graph:
        if module not in index:
            visit(module)
    return found


def ring(graph: Graph, circle: set[str]) -> str:
    """A shortest ring through the first module of ``circle``, with the lines of its imports."""
    start = min(circle)
    paths = [[start]]
    for path in paths:
        for target in sorted(graph[path[-1]]):
            if target == start:
                steps = zip(path, [*path[1:], start], strict=True)
                return " -> ".join(
                    [*(f"{each}:{graph[each][following]}" for each, following in steps), start]
                )
            if target in circle and target not in path:
                paths.append([*path, target])
    raise AssertionError("not a circle")
