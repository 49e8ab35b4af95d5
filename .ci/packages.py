"""Checks what would be published, which ``python -m build`` has made: a source distribution, and the wheel from it.

    python .ci/packages.py DIST

In DIST is one of each. The source distribution holds every file of the repository, tests and docs among them, and
nothing else; the wheel holds the package alone; the description, which package indexes show, has no link and no picture
that only the repository has. ``twine check --strict`` looks at the rest.
"""

from __future__ import annotations

import email
import re
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path, PurePosixPath

from install import tracked

#: What building adds to a source distribution.
ADDED = re.compile(r"PKG-INFO|setup\.cfg|kedis\.egg-info/.*")
#: Targets of Markdown's links and pictures, and of those of HTML.
_TARGETS = re.compile(r"\]\(\s*<?([^)\s>]*)|(?:href|src)\s*=\s*[\"']?([^\"'\s>]*)")


def relative_targets(description: str) -> list[str]:
    """The links and pictures of a description that a package index cannot resolve."""
    targets = [markdown or html for markdown, html in _TARGETS.findall(description)]
    return [target for target in targets if not re.match(r"(?:https?|mailto):", target)]


def check_metadata(metadata: Message) -> None:
    """Raises AssertionError."""
    assert metadata["License-Expression"] == "BSD-3-Clause" and metadata["License-File"] == "LICENSE"
    assert metadata["Author"] == "The Kedis developers"
    assert metadata["Description-Content-Type"] == "text/markdown"
    extras = metadata.get_all("Provides-Extra", [])
    assert set(extras) == {"cli", "bench", "load"}, f"extras are published: {extras}"
    text = str(metadata.get_payload())
    assert len(text) > 1000, "no description"
    assert not (found := relative_targets(text)), f"the description links to {found}"


def check_sources(path: Path, expected: set[str]) -> None:
    """Raises AssertionError where the source distribution lacks a file of the repository, or holds another."""
    with tarfile.open(path) as archive:
        held = {
            str(PurePosixPath(*PurePosixPath(member.name).parts[1:]))
            for member in archive.getmembers()
            if member.isfile()
        }
    more = sorted(name for name in held - expected if not ADDED.fullmatch(name))
    assert not more, f"{path.name} holds what the repository does not: {more}"
    less = sorted(expected - held)
    assert not less, f"{path.name} lacks {less}"


def check_wheel(path: Path) -> None:
    """Raises AssertionError where the wheel holds anything but the package and its metadata."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        check_metadata(email.message_from_bytes(archive.read(metadata)))
    assert {name.split("/")[0] for name in names} == {"kedis", metadata.split("/")[0]}, names
    assert "kedis/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def main(words: list[str]) -> int:
    """Run the command; returns the exit code."""
    (folder,) = words
    (sources,) = Path(folder).glob("kedis-*.tar.gz")
    (wheel,) = Path(folder).glob("kedis-*.whl")
    check_sources(sources, set(tracked()))
    check_wheel(wheel)
    print(f"{sources.name}: {sources.stat().st_size:,} bytes; {wheel.name}: {wheel.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
