"""Which requests are plain: those that :meth:`kedis.router.python_flow.Lane.forward` may send on from their bytes."""

from __future__ import annotations

from kedis.engine.table import CommandTable
from kedis.router.flow import Form
from kedis.router.planning import Kind, Plan, Planner


def forms_of(table: CommandTable, planner: Planner) -> dict[bytes, Form]:
    """The forms of the commands that have one, by their names in lower and in upper case. O(rows)."""
    found = {}
    for name, row in table.rows.items():
        form = _form_of(planner.plan(row), planner.in_cluster)
        if form is not None and row.permission is None and not row.subcommands:
            found[name] = found[name.upper()] = form
    return found


def _form_of(plan: Plan, in_cluster: bool) -> Form | None:
    """In a cluster a command with one key at a fixed place, or that is split and has one key; alone any with keys."""
    row = plan.row
    if row.least > row.most or plan.channel_at:
        return None
    if plan.kind is Kind.KEYS and (plan.key_at or not in_cluster):
        return Form(row, plan.key_at, plan.reads_only, row.least, row.most)
    if plan.kind is Kind.SPLIT:
        return Form(row, 1, plan.reads_only, 1 + plan.step, 1 + plan.step)
    return None
