"""The tour of the code names files that exist, and its pages lead to each other."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "understand"
PAGES = sorted(FOLDER.glob("*.md"))
#: The pages of the tour, in the order in which they are read.
TOUR = ["request", "native", "engine", "store", "durability", "streams", "memory", "router"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_named_exists(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"`((?:kedis|tests)/[\w/]+(?:\.py|/))`", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert not [name for name in named if not (ROOT / name).exists()]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_tour_passes_every_package_that_a_request_meets() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for package in ("server", "resp", "engine", "commands", "store", "structures", "persistence", "embedded"):
        assert f"kedis/{package}/" in text


def test_each_page_of_the_tour_leads_to_the_next() -> None:
    contents = (FOLDER / "README.md").read_text()
    for name, following in pairwise(TOUR):
        assert f"({name}.md)" in contents
        first = (FOLDER / f"{name}.md").read_text().splitlines()[0]
        assert f"({following}.md)" in first
        assert "(README.md)" in first
