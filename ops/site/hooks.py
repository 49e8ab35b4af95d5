"""Hooks of MkDocs: the order of the pages, and links that lead out of ``docs/``.

The pages are read in the repository, too, where they link to sources, ``CONTRIBUTING.md`` and the like. On the site
those of :data:`BROUGHT_IN` are pages of their own; a link to any other file becomes its name. A link to a file that is
not there fails the build, as those within ``docs/`` do.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

log = logging.getLogger("mkdocs.hooks.links")

ROOT = Path(__file__).resolve().parents[2]
#: Files outside ``docs/`` -> the page of the site that they are.
BROUGHT_IN = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "ops/runbooks.md": "operate/runbooks.md",
}
SECTIONS = {"use": "Use", "operate": "Operate", "reference": "Reference", "understand": "Understand"}
#: Pages that come first in their section; all others follow by title.
FIRST = [
    "use/first-steps.md",
    "use/install.md",
    "use/embedding.md",
    "use/pytest.md",
    "use/coming-from-fakeredis.md",
    "use/kedis-cli.md",
    "operate/running.md",
    "operate/live-page.md",
    "operate/dashboards.md",
    "operate/runbooks.md",
    "reference/commands.md",
    "reference/settings.md",
    "reference/metrics.md",
    "reference/differences.md",
    *(
        f"understand/{name}.md"
        for name in (
            "README",
            "request",
            "native",
            "engine",
            "store",
            "durability",
            "streams",
            "memory",
            "decisions",
        )
    ),
]
_FENCE = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Bring in the pages that stand elsewhere."""
    for source, page in BROUGHT_IN.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_nav(nav: Any, config: Any, files: Any) -> Any:
    """Put sections and pages in order."""
    order = list(SECTIONS)
    for item in nav.items:
        if item.is_section:
            name = next(iter(_pages(item))).file.src_uri.partition("/")[0]
            item.title = SECTIONS.get(name, item.title)
            item.children.sort(key=_place)
    nav.items.sort(key=lambda item: (not _is_home(item), not item.is_section, _section_place(item, order)))
    return nav


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrite the links that lead out of ``docs/``, or into it from a page that was brought in; find the title.

    MkDocs takes a heading for the title only where it is the very beginning.
    """
    if heading := re.search(r"^# (.+)$", markdown, re.MULTILINE):
        page.meta.setdefault("title", heading[1])
    parts = _FENCE.split(markdown)
    parts[::2] = [_LINK.sub(lambda found: _link(found, page.file.src_uri), part) for part in parts[::2]]
    return "".join(parts)


def _link(found: re.Match[str], page: str) -> str:
    mark, text, link = found.groups()
    path, hash_sign, anchor = link.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return found[0]
    source = next((file for file, brought in BROUGHT_IN.items() if brought == page), f"docs/{page}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if target.startswith(".."):
        log.warning("%s links out of the repository: %s", source, link)
        return text
    if not (ROOT / target).exists():
        log.warning("%s links to %s, which is not there", source, link)
        return text
    if target in BROUGHT_IN:
        goal = BROUGHT_IN[target]
    elif target.startswith("docs/"):
        goal = target.removeprefix("docs/")
    else:
        return text if text.startswith("`") else f"{text} (`{target}`)"
    relative = posixpath.relpath(goal, posixpath.dirname(page) or ".")
    return f"{mark}[{text}]({relative}{hash_sign}{anchor})"


def _pages(item: Any) -> Any:
    return (child for child in item.children if child.is_page)


def _place(item: Any) -> tuple[int, str]:
    name = item.file.src_uri if item.is_page else ""
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


def _is_home(item: Any) -> bool:
    return bool(item.is_page and item.is_homepage)


def _section_place(item: Any, order: list[str]) -> tuple[int, str]:
    names = list(SECTIONS.values())
    if item.is_section:
        return (names.index(item.title) if item.title in names else len(order), str(item.title))
    return (len(order), item.file.src_uri)
