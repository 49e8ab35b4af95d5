"""The text of the file of users: a line ``user <name> <rules>`` for each."""

from __future__ import annotations

from kedis.engine.acl_rules import (
    UNKNOWN,
    RuleError,
    UnmatchedParenthesis,
    UserRules,
    has_spaces,
    with_selectors_joined,
)
from kedis.engine.users import Users

_NOTHING_CHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class UsersFileError(Exception):
    """A file of users that cannot be used; the text, Redis's, names the faults of all lines."""


def parse_users(text: bytes, path: str, users: Users) -> dict[bytes, UserRules]:
    """The rules of each user in ``text``. Raises UsersFileError. O(rules)."""
    found: dict[bytes, UserRules] = {}
    faults: list[str] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        words = line.strip(b" \t\r\n").split(b" ")
        if words == [b""]:
            continue
        place = f"{path}:{number}"
        if len(words) < 2 or words[0] != b"user":
            faults.append(f"{place} should start with user keyword followed by the username.")
            continue
        name = words[1]
        shown = name.decode("utf-8", "surrogateescape")
        if has_spaces(name) or not name:
            faults.append(f"'{place}: username '{shown}' contains invalid characters.")
        elif name in found:
            faults.append(f"WARNING: Duplicate user '{shown}' found on line {number}.")
        else:
            found[name] = users.new_rules()
            faults += (f"{place}: {fault}" for fault in _apply(users, found[name], words[2:]))
    if faults:
        raise UsersFileError(" ".join([*faults, _NOTHING_CHANGED]))
    return found


def _apply(users: Users, rules: UserRules, words: list[bytes]) -> list[str]:
    """Apply the rules of a line; returns what is wrong with them."""
    faults = []
    try:
        for word in with_selectors_joined([word.strip(b" \t\r\n") for word in words]):
            try:
                users.apply(rules, [word])
            except RuleError as error:
                text = str(error)
                if text == UNKNOWN:
                    shown = word.decode("utf-8", "surrogateescape")
                    text = f"Error in applying operation '{shown}': {text}"
                faults.append(f"{text}.")
    except UnmatchedParenthesis:
        faults.append("Unmatched parenthesis in selector definition.")
    return faults


def users_text(users: Users) -> bytes:
    """The text of the file: users in order of their names, passwords as digests. O(users)."""
    return b"".join(line + b"\n" for line in users.lines(for_file=True))
