"""Builds the extensions of the native path where that is possible; everything else stands in pyproject.toml.

Kedis is complete without them. All of them are built, or none: a build that fails says why, and leaves the reason in a
file beside the Python modules, where ``kedis.native`` reads it (docs/native-build.md).
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

FOLDER = Path("kedis/native")
NOTE = FOLDER / "not_built.txt"
#: What is built on Linux alone.
LINUX = {"loop"}


def extensions() -> list[Extension]:
    """An extension for each ``.pyx`` that is for this system."""
    names = sorted(path.stem for path in FOLDER.glob("*.pyx"))
    return [
        Extension(
            f"kedis.native.{name}",
            [f"{FOLDER}/{name}.pyx"],
            include_dirs=[str(FOLDER)],
            depends=[str(path) for path in sorted(FOLDER.glob("*.h"))],
            # Whoever sets CFLAGS has said what is wanted: a distribution, a debugger, a sanitizer.
            extra_compile_args=[] if os.environ.get("CFLAGS") else ["-O2", "-g0"],
            optional=True,
        )
        for name in names
        if name not in LINUX or sys.platform == "linux"
    ]


class BuildNative(build_ext):
    """``build_ext`` that leaves all extensions or none, and the reason."""

    failure = ""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cython_c_in_temp = True

    def build_extension(self, ext: Extension) -> None:
        try:
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


commands: dict[str, Any] = {"build_ext": BuildNative}
setup(ext_modules=extensions(), cmdclass=commands)
