"""Builds the extensions of the native path, where there is a compiler; everything else stands in pyproject.toml.

Kedis is complete without them: a build that fails is reported and leaves the Python path (``kedis.native``).
"""

import sys

from setuptools import Extension, setup

NAMES = ["kedis.native.path"]
if sys.platform == "linux":
    NAMES.append("kedis.native.loop")


def extensions() -> list[Extension]:
    """The extensions, with their C made from the Cython sources."""
    from Cython.Build import cythonize

    modules = [
        Extension(
            name,
            [name.replace(".", "/") + ".pyx"],
            include_dirs=["kedis/native"],
            extra_compile_args=["-O2"],
            optional=True,
        )
        for name in NAMES
    ]
    made: list[Extension] = cythonize(modules, build_dir="build/native", language_level=3)
    return made


setup(ext_modules=extensions())
