"""Builds the extensions of the native path where that is possible, and the description from the README; everything else
stands in pyproject.toml.

Kedis is complete without them. All of them are built, or none: a build that fails says why, and leaves the reason in a
file beside the Python modules, where ``kedis.native`` reads it (docs/understand/native-build.md).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

FOLDER = Path("kedis/native")
NOTE = FOLDER / "not_built.txt"
#: What is built on Linux alone.
LINUX = {"loop", "pools"}
#: The compiled forms of kedis.structures, and their sources: see there.
STRUCTURES = {
    "consumer_groups": "consumer_groups.py",
    "containers": "containers.py",
    "id_map": "id_map.py",
    "key_numbers": "key_numbers.pyx",
    "listpack_size": "listpack_size.py",
    "packed": "packed.pyx",
    "scan_index": "scan_index.pyx",
    "skiplist": "skiplist.pyx",
    "sorted_set": "sorted_set.py",
    "stream": "stream.py",
    "stream_block": "stream_block.py",
    "stream_columns": "stream_columns.py",
}


#: Whoever sets CFLAGS has said what is wanted: a distribution, a debugger, a sanitizer.
FLAGS = [] if os.environ.get("CFLAGS") else ["-O2", "-g0"]


def extensions() -> list[Extension]:
    """An extension for each ``.pyx`` of the native path that is for this system, and those of the structures."""
    names = sorted(path.stem for path in FOLDER.glob("*.pyx"))
    native = [extension(name) for name in names if name not in LINUX or sys.platform == "linux"]
    return native + structures()


def extension(name: str) -> Extension:
    """What builds ``kedis.native.NAME``.

    CYTHON_TRACE in CFLAGS is for tracing lines, which the translation to C has to know, too.
    """
    made = Extension(
        f"kedis.native.{name}",
        [f"{FOLDER}/{name}.pyx"],
        include_dirs=[str(FOLDER)],
        depends=[str(path) for path in sorted(FOLDER.glob("*.h"))],
        extra_compile_args=FLAGS,
        optional=True,
    )
    made.cython_directives = {"linetrace": "CYTHON_TRACE" in os.environ.get("CFLAGS", "")}
    return made


def structures() -> list[Extension]:
    """The extensions that stand in for modules of ``kedis.structures``: with their names, in a folder of their own."""
    if find_spec("Cython") is None:  # then the others fail, and say so
        return []
    from Cython.Build import cythonize

    made: list[Extension] = cythonize(
        [
            Extension(
                f"kedis.structures.{name}",
                [f"kedis/structures/{source}"],
                include_dirs=[str(FOLDER)],
                extra_compile_args=FLAGS,
                optional=True,
            )
            for name, source in STRUCTURES.items()
        ],
        build_dir="build/native",
        language_level=3,
        quiet=True,
        # The types are those of the .pxd files; annotations are for mypy.
        compiler_directives={"annotation_typing": False, "auto_pickle": False},
    )
    for each in made:
        each.name = each.name.replace("structures.", "structures.compiled.")
        each.optional = True  # which cythonize forgets
    return made


class BuildNative(build_ext):
    """``build_ext`` that leaves all extensions or none, and the reason.

    As many compilers as there are processors run at once, which take nine tenths of the time; the rest, with Cython,
    runs in one thread at a time.
    """

    failure = ""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cython_c_in_temp = True
        self.turn = threading.Lock()

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        spawn = self.compiler.spawn

        def run(*words: Any, **options: Any) -> None:
            self.turn.release()
            try:
                spawn(*words, **options)
            finally:
                self.turn.acquire()

        self.compiler.spawn = run
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        try:
            with self.turn:
                super().build_extension(ext)
        except (BaseError, CCompilerError):
            self.failure = self.failure or self.reason()
            raise  # to setuptools, which goes on: the extension is optional

    def reason(self) -> str:
        """Why a build has failed, in a few words."""
        compiler: str = getattr(self.compiler, "compiler_so", ["cc"])[0]
        if find_spec("Cython") is None:
            return "Cython was missing when Kedis was installed"
        if shutil.which(compiler) is None:
            return f"there was no C compiler ({compiler}) when Kedis was installed"
        if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
            return "Python.h (package python3-dev) was missing when Kedis was installed"
        return f"the C compiler ({compiler}) failed when Kedis was installed"

    def run(self) -> None:
        if self.inplace:
            Path("kedis/structures/compiled").mkdir(exist_ok=True)
        super().run()
        for place in [Path(self.build_lib), *[Path()] * bool(self.inplace)]:
            if self.failure:
                self.leave_none(place)
            else:
                (place / NOTE).unlink(missing_ok=True)
        if self.failure:
            print(
                f"note: Kedis is installed without its native path, because {self.failure}.\n"
                "note: It works, in Python alone, and is slower. The first line of kedis-server says which path runs.",
                file=sys.stderr,
            )

    def leave_none(self, place: Path) -> None:
        """Remove what was built, now or before, and write down why."""
        for extension in self.extensions:
            (place / self.get_ext_filename(extension.name)).unlink(missing_ok=True)
        (place / FOLDER).mkdir(parents=True, exist_ok=True)
        (place / NOTE).write_text(self.failure + "\n")


#: Code of Markdown; or a link or a picture: its exclamation mark, its text, its target.
LINK = re.compile(r"```.*?```|`[^`\n]*`|(!?)\[((?:[^][]|\[[^][]*\]\([^)]*\))*)\]\(([^)]*)\)", re.DOTALL)


def description(text: str) -> str:
    """The README as a package index can show it: of links to files of the repository the text, of pictures nothing."""

    def shown(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        if target is None or re.match(r"[a-z]+:", target):
            return match[0]
        return "" if picture else LINK.sub(shown, words)

    return LINK.sub(shown, text)


if __name__ == "__main__":
    setup(
        ext_modules=extensions(),
        cmdclass={"build_ext": BuildNative},
        long_description=description(Path("README.md").read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
    )
