"""Imports point one way, which is also the mutex: gevent stays in server/ and cli/ (rules: architecture.py)."""

from __future__ import annotations

import pytest

from tests import architecture as rules

MODULES = rules.sources()
GRAPH = rules.graph_of(MODULES)


def test_every_package_has_a_place() -> None:
    placed = {name for names in rules.PACKAGES for name in names}
    assert {rules.place_of(module) for module in MODULES} == placed


def test_imports_point_one_way() -> None:
    assert not rules.upward_imports(GRAPH)


def test_the_text_tells_what_is_imported() -> None:
    assert rules.unknown_imports(MODULES) == rules.UNKNOWN_IMPORTS.keys()


def test_layers_inside_packages() -> None:
    assert not rules.layer_faults(GRAPH)


def test_nothing_below_the_server_waits() -> None:
    assert not rules.gevent_imports(MODULES)


def test_what_touches_the_keyspace_leaves_the_world_alone() -> None:
    found = rules.outside_world(MODULES)
    forbidden = [
        f"{module}:{line} {name}"
        for (module, name), line in found.items()
        if (module, name) not in rules.ALLOWED
    ]
    assert not forbidden
    assert rules.ALLOWED.keys() <= found.keys(), "an exception that nobody needs any more"
    assert all(rules.ALLOWED.values()), "an exception without a reason"


def test_no_circle_of_files() -> None:
    found = rules.circles(GRAPH)
    assert not found, "\n".join(f"{len(circle)} files: {rules.ring(GRAPH, circle)}" for circle in found)


def test_no_two_ideas_of_one_name() -> None:
    modules = {
        module for module in MODULES if (rules.PACKAGE / module.replace(".", "/")).with_suffix(".py").exists()
    }
    repeated = rules.repeated_names(modules)
    known = rules.SAME_IDEA.keys()
    assert repeated.keys() <= known, {name: repeated[name] for name in repeated.keys() - known}
    assert known <= repeated.keys(), f"no longer repeated: {known - repeated.keys()}"


# -- each rule can fail -----------------------------------------------------------------------------------

UPWARD = [
    "from kedis.commands.strings import get",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kedis.server.network import Network",
    "def late():\n    import kedis\n    return kedis.connect()",
    "from kedis import connect",
    "import kedis.server",
    "import importlib\nimportlib.import_module('kedis.commands.strings')",
    "from importlib import import_module\nimport_module(f'kedis.commands.{name}')",
    "from kedis import engine",
]


@pytest.mark.parametrize("text", UPWARD)
def test_an_upward_import_is_found(text: str) -> None:
    known = dict.fromkeys(MODULES, "")
    assert not rules.upward_imports(rules.graph_of(known))
    (fault,) = rules.upward_imports(rules.graph_of({**known, "store.database": text}))
    assert fault.startswith("store.database:")


def test_any_module_may_ask_which_path_runs_and_few_may_use_it() -> None:
    known = dict.fromkeys(MODULES, "")
    ask, use = "from kedis import native", "from kedis.native.path import Path"
    assert not rules.upward_imports(rules.graph_of({**known, "store.database": ask}))
    assert rules.upward_imports(rules.graph_of({**known, "store.database": use}))
    assert rules.upward_imports(rules.graph_of({**known, "native": use}))
    assert not rules.upward_imports(rules.graph_of({**known, "server.network": use}))


def test_imports_of_modules_in_cython_are_found() -> None:
    text = (
        "from libc.string cimport memcpy, memset\ncimport cython\ncdef f():\n    from kedis.server.app import App\n"
        "cdef extern from 'x.h':\n    pass\nfrom kedis.native.path cimport Path\n"
    )
    found = list(rules.imported_names(rules.cython_imports(text)))
    assert [name for name, _ in found] == [
        "libc.string.memcpy",
        "libc.string.memset",
        "cython",
        "kedis.server.app.App",
        "kedis.native.path.Path",
    ]
    assert {"engine.call", "store.database"} <= GRAPH["native.path"].keys()
    assert {"native.path", "persistence.append_file"} <= GRAPH["native.loop"].keys()


def test_packages_of_a_line_do_not_import_each_other() -> None:
    known = dict.fromkeys(MODULES, "")
    text = "from kedis.server.network import Network"
    assert rules.upward_imports(rules.graph_of({**known, "embedded.engine": text}))


def test_a_layer_is_kept() -> None:
    known = dict.fromkeys(MODULES, "")
    assert not rules.layer_faults(rules.graph_of(known))
    for module, text in (
        ("server.sender", "from kedis.server.network_server import NetworkServer"),
        ("cli.client.standalone.fallback", "from kedis.cli.client.shell import Shell"),
        ("commands.parsing.options", "if TYPE_CHECKING:\n    from kedis.commands.strings import get"),
    ):
        (fault,) = rules.layer_faults(rules.graph_of({**known, module: text}))
        assert fault.startswith(f"{module}:")
    assert rules.layer_faults(rules.graph_of({**known, "server.helpers": ""})) == [
        "server has no layer for helpers"
    ]
    del known["server.cron"]
    assert rules.layer_faults(rules.graph_of(known)) == ["server has no cron"]


def test_a_name_made_at_run_time_is_found() -> None:
    texts = {
        "errors": "import_module('os')",
        "config": "import_module(name)",
        "resp": "__import__(f'{name}.x')",
    }
    assert rules.unknown_imports(texts) == {"config", "resp"}


def test_gevent_is_found() -> None:
    assert rules.gevent_imports({"engine.engine": "def f():\n    from gevent import sleep"})
    assert rules.gevent_imports({"persistence.aof": "import greenlet"})
    assert not rules.gevent_imports({"server.cron": "import gevent", "process.threads": "import gevent"})


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)",
        "from time import sleep",
        "open('x')",
        "import os\nos.open('x', 0)",
        "import logging",
        "from logging import getLogger",
        "from socket import socket",
        "import _socket",
        "import subprocess",
        "if TYPE_CHECKING:\n    import threading",
        "def f():\n    import concurrent.futures",
    ],
)
@pytest.mark.parametrize("package", sorted(rules.CANNOT_WAIT))
def test_the_outside_world_is_found(package: str, text: str) -> None:
    module = package if "." in package else f"{package}.module"
    assert len(rules.outside_world({module: text})) == 1
    assert not rules.outside_world({"server.module": text})


def test_what_is_no_call_to_the_outside() -> None:
    assert not rules.outside_world({"commands.keys": "import time\ntime.time()\nfile.reopen()\nself.open(1)"})


def test_a_circle_is_found() -> None:
    graph = rules.graph_of(
        {
            "store.a": "from kedis.store.b import B",
            "store.b": "import os\nfrom kedis.store import c",
            "store.c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kedis.store.a import A",
            "store.d": "from kedis.store.a import A",
        }
    )
    (circle,) = rules.circles(graph)
    assert circle == {"store.a", "store.b", "store.c"}
    assert rules.ring(graph, circle) == "store.a:1 -> store.b:2 -> store.c:3 -> store.a"


def test_a_module_that_imports_the_package_it_stands_in_is_in_a_circle() -> None:
    graph = rules.graph_of(
        {"config": "from kedis.config.load import read", "config.load": "from kedis.config import Config"}
    )
    assert rules.circles(graph) == [{"config", "config.load"}]


def test_a_repeated_name_is_found() -> None:
    assert rules.repeated_names(["a.x", "b.c.x", "b.y"]) == {"x": ["a.x", "b.c.x"]}
