"""Both forms of the structures that can be compiled, in one process: every test of such a module runs on each.

A test module says ``form = each_form(__name__)``. Its names of these modules, of their classes and functions
are then bound to one form after the other.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from kedis import structures

Form = dict[str, ModuleType]
_NAMES = [f"kedis.structures.{name}" for name in structures.COMPILABLE]


def load(form: str) -> Form:
    """The modules in one form, ``python`` or ``compiled``, by full name; those in use stay in ``sys.modules``."""
    if (form == "compiled") is structures.COMPILED:
        return {name: importlib.import_module(name) for name in _NAMES}
    if form == "compiled" and not structures._are_built():
        pytest.skip("the extensions are not built")
    in_use = {name: importlib.import_module(name) for name in _NAMES}
    path = list(structures.__path__)
    for name in _NAMES:
        del sys.modules[name]
    try:
        plain = path[-1]
        structures.__path__[:] = [structures._FOLDER, plain] if form == "compiled" else [plain]
        return {name: importlib.import_module(name) for name in _NAMES}
    finally:
        structures.__path__[:] = path
        sys.modules.update(in_use)
        for name, module in in_use.items():
            setattr(structures, name.rpartition(".")[2], module)


_loaded: dict[str, Form] = {}


def each_form(test_module: str) -> Any:
    """The fixture that binds the names of ``test_module`` to one form and then the other."""

    @pytest.fixture(scope="module", autouse=True, params=["python", "compiled"])
    def form(request: pytest.FixtureRequest) -> Iterator[str]:
        name = request.param
        if name not in _loaded:
            _loaded[name] = load(name)
        module = sys.modules[test_module]
        with pytest.MonkeyPatch.context() as patch:
            for known, value in list(vars(module).items()):
                if isinstance(value, ModuleType) and value.__name__ in _NAMES:
                    patch.setattr(module, known, _loaded[name][value.__name__])
                elif callable(value) and getattr(value, "__module__", "") in _NAMES:
                    patch.setattr(module, known, getattr(_loaded[name][value.__module__], known))
            yield name

    return form


@contextmanager
def shape(skiplist: ModuleType, **constants: float) -> Iterator[None]:
    """Other sizes of blocks and heights of towers for the skip lists of one form."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            patch.setattr(skiplist, name, value)
        if not hasattr(skiplist, "shape"):
            yield
            return
        skiplist.shape(**constants)  # what is compiled does not read the names of the module
        try:
            yield
        finally:
            skiplist.shape()


SMALL_BLOCKS = {"BLOCK_MAX": 8, "BLOCK_MIN": 3, "MERGE_MAX": 6, "BLOCK_FILL": 6, "PROMOTE": 0.5}
