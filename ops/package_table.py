"""``docs/understand/packages.md``: the packages and what each may import, from the list that the import test checks.

``python -m ops.package_table`` prints the tables, ``--write`` puts them into the page, ``--check`` fails where the page
is old.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ops import marked_page
from tests.architecture import LAYERS, PACKAGES, ROOT

PAGE = ROOT / "docs" / "understand" / "packages.md"
BEGIN, END = "<!-- the tables: python -m ops.package_table --write -->", "<!-- end of the tables -->"


def tables() -> str:
    """Both tables as Markdown."""
    return "\n".join([*_packages(), "", "Layers inside packages, lowest first:", "", *_layers()])


def _packages() -> Iterator[str]:
    yield "| package | what it holds | may import |"
    yield "|---|---|---|"
    below = "nothing of Kedis"
    for row in PACKAGES:
        for name, content in row.items():
            yield f"| {_code(name)} | {content} | {below} |"
        below = f"{', '.join(map(_code, row))}, and what they may import"


def _layers() -> Iterator[str]:
    yield "| package | layer | modules |"
    yield "|---|---|---|"
    for package, layers in LAYERS.items():
        for title, modules in layers:
            named = ", ".join(f"`{name}`" for name in sorted(modules)) if modules != {"*"} else "all others"
            yield f"| `{package.replace('.', '/')}/` | {title} | {named} |"


def _code(name: str) -> str:
    path = name.replace(".", "/")
    suffix = next((end for end in (".py", ".pyx") if (ROOT / "kedis" / f"{path}{end}").exists()), "/")
    return f"`{path}{suffix}`"


def main() -> int:
    """Run the command; returns the exit code."""
    return marked_page.run(Path(__file__).stem, "The page of the packages.", PAGE, (BEGIN, END), tables)


if __name__ == "__main__":
    raise SystemExit(main())
