"""The table in ``docs/operate/router.md``: what a router does with each command, from its plans in the code.

python -m ops.router_table            prints it
python -m ops.router_table --write    puts it into the page
python -m ops.router_table --check    exits 1 when the page is not current
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from kedis.commands import load_all
from kedis.engine.table import new_table
from kedis.router.planning import Kind, Plan, Planner
from ops import marked_page

PAGE = Path(__file__).parent.parent / "docs" / "operate" / "router.md"
BEGIN, END = "<!-- commands begin -->", "<!-- commands end -->"
#: In the order of the table.
_DONE = {
    Kind.KEYS: "goes to the shard of its keys, which must be in one slot",
    Kind.SPLIT: "is split by slots; the replies are joined",
    Kind.EVERY: "goes to every master; the replies are joined",
    Kind.SCAN: "goes to one master after the other",
    Kind.ANY: "goes to one master",
    Kind.BLOCKING: "goes to the shard of its keys, by a connection of its own while it lasts",
    Kind.STREAMS: "the same where it says BLOCK",
    Kind.WATCH: "takes a connection of its own until the transaction ends",
    Kind.EXEC: "sends what was queued as one piece to the shard of its keys",
    Kind.UNWATCH: "gives up what WATCH has taken",
    Kind.DISCARD: "gives up the queue",
    Kind.SUBSCRIBE: "subscribes at a node once for all clients",
    Kind.SELECT: "takes 0 alone",
    Kind.LOCAL: "is answered by the router itself",
}


def table() -> str:
    """What is done before a cluster, and the commands with which it is."""
    load_all()
    commands = new_table(())
    planner = Planner(commands, in_cluster=True)
    by_kind: dict[Kind, list[Plan]] = defaultdict(list)
    for row in commands.every():
        if row.function is not None:
            by_kind[planner.plan(row).kind].append(planner.plan(row))
    lines = ["", "| what is done | commands |", "|---|---|"]
    for kind, done in _DONE.items():
        lines.append(f"| {done} | {_names(by_kind[kind])} |")
    assert by_kind.keys() - {Kind.REFUSED} <= _DONE.keys()
    reasons: dict[str, list[Plan]] = defaultdict(list)
    for plan in by_kind[Kind.REFUSED]:
        reasons[plan.reason].append(plan)
    lines += [f"| refused: {reason} | {_names(plans)} |" for reason, plans in reasons.items()]
    return "\n".join(lines) + "\n"


def _names(plans: list[Plan]) -> str:
    return ", ".join(sorted(f"`{plan.row.name.upper().replace('|', ' ')}`" for plan in plans))


def main() -> int:
    return marked_page.run(
        Path(__file__).stem, "What a router does with each command.", PAGE, (BEGIN, END), table
    )


if __name__ == "__main__":
    sys.exit(main())
