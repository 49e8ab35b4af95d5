"""Names that were given up for the field's own: nothing in the package bears them (docs/reference/moved.md)."""

from __future__ import annotations

import re
from pathlib import Path

import kedis

OLD = (
    *(
        "attendance",
        "attended_by",
        "guarded",
        "update_guard",
        "Postponed",
        "run_transaction",
    ),
    *("wrote_in_turn", "keep_wire", "take_clean", "journal_delete", "propagate_unit", "keyspace_journal"),
    *(
        "graveyard",
        "Graveyard",
        "bury",
        "bury_keys",
        "tended",
        "LruUses",
        "LfuUses",
        "touching",
    ),
    *("edit_or_create", "edit_in_place", "find_many", "read_string", "edit_string"),
    *("AofService", "SavingService", "Cycle", "Instance", "_care_for_syncs", "_calm_the_collector"),
    *("on_purge", "on_slow", "on_fault", "on_unrecorded", "on_migrate", "on_shutdown", "on_rewrite_config"),
    *("on_unpause", "on_browser", "on_more_eviction", "on_deadline", "secret_positions"),
)
PACKAGE = Path(kedis.__file__).parent


def test_no_old_name_is_left() -> None:
    pattern = re.compile(rf"\b({'|'.join(OLD)})\b")
    found = {
        f"{path.relative_to(PACKAGE)}: {match}"
        for path in PACKAGE.rglob("*.py")
        for match in pattern.findall(path.read_text())
    }
    assert not found


def test_the_pattern_finds_one() -> None:
    assert re.search(rf"\b({'|'.join(OLD)})\b", "if client.guarded:")
