"""What is published: its metadata and description; and the dependency groups, which are not."""

from __future__ import annotations

import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
GROUPS: dict[str, list[Any]] = PYPROJECT["dependency-groups"]
description = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["description"]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module ``.ci/packages.py``."""
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    yield runpy.run_path(str(ROOT / ".ci" / "packages.py"))
    sys.modules.pop("install", None)


def members(group: str) -> list[str]:
    """The requirements of a group, those of the groups in it included."""
    found = []
    for row in GROUPS[group]:
        found += members(row["include-group"]) if isinstance(row, dict) else [row]
    return found


def test_the_metadata() -> None:
    assert PROJECT["license"] == "BSD-3-Clause"
    assert "The Kedis developers" in (ROOT / "LICENSE").read_text()
    assert PROJECT["authors"] == [{"name": "The Kedis developers"}]
    assert PROJECT["keywords"] and "urls" not in PROJECT, "nobody's address is made up"
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {lowest}" in PROJECT["classifiers"]


def test_extras_are_for_users_and_groups_for_developers() -> None:
    assert set(PROJECT["optional-dependencies"]) == {"cli", "bench", "load"}
    assert set(GROUPS["dev"][0]) == {"include-group"}
    for word in ("pytest", "mypy", "ruff", "celery", "django", "cython"):
        assert any(Requirement(text).name == word for text in members("dev")), word


def test_a_requirement_is_the_same_wherever_it_stands() -> None:
    places = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values(), *map(members, GROUPS)]
    places.append(PYPROJECT["build-system"]["requires"])
    seen: dict[str, str] = {}
    for text in [text for place in places for text in place]:
        assert seen.setdefault(Requirement(text).name.lower(), text) == text


def test_what_the_repository_says_to_install_exists() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]:
        text = page.read_text()
        for gone in ("kedis[dev]", ".[dev]", "kedis[applications]", ".[applications]"):
            assert gone not in text, f"{page}: {gone}"


def test_the_description_has_no_links_that_only_the_repository_has(packages: Any) -> None:
    readme = (ROOT / "README.md").read_text()
    assert packages["relative_targets"](description(readme)) == []
    assert len(description(readme)) > 0.5 * len(readme)


def test_links_of_the_description() -> None:
    told = (
        "# Kedis\n[a page](docs/a.md), ![a picture](docs/a.png)[![both](x.png)](docs/b.md) [c [d](e) f](g)\n"
        "[here](#speed) [there](https://example.org/x) ![far](https://example.org/x.png) `list[0](x)` "
        "[f`0`](y)\n```\na[0](x)\n```\n"
    )
    assert description(told) == (
        "# Kedis\na page,  c d f\n"
        "here [there](https://example.org/x) ![far](https://example.org/x.png) `list[0](x)` f`0`\n```\na[0](x)\n```\n"
    )


def test_targets_that_an_index_cannot_resolve(packages: Any) -> None:
    relative = packages["relative_targets"]
    assert relative("[a](https://x.org) ![b](http://x.org/a.png) [c](mailto:a@b.c) text") == []
    told = '[a](docs/a.md) ![b](<a.png>) [c](#d) <img src="e.png"> <a href=f.md>'
    assert relative(told) == ["docs/a.md", "a.png", "#d", "e.png", "f.md"]
