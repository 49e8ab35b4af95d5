"""Permits: whether a user may run a command, as one function for each command that the user has called.

:meth:`kedis.engine.users.User.denial` says why a call is denied. Nearly all calls are allowed, and these functions say
no more than that, in half of the time or less: what the rules and the command alone decide is decided once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kedis.engine.acl_selector import KeyTests, Selector
from kedis.engine.flags import NO_AUTH
from kedis.engine.keyspec import KeySpec, access_of
from kedis.engine.table import Command

#: Takes the words of a call, whose arity is right.
Permit = Callable[[Sequence[bytes]], bool]
_ONE_DIGIT = {b"%d" % number: number for number in range(1, 10)}
_Finder = Callable[[Sequence[bytes]], Sequence[int]]


def permit_of(selectors: Sequence[Selector], command: Command) -> Permit:
    """Tells whether one of ``selectors``, which must not change, allows a call of ``command``. O(selectors)."""
    permits: list[Permit] = []
    searching: list[Selector] = []  # those for which the keys of a call must be found first
    for selector in selectors:
        if selector.commands & command.bit or command.flags & NO_AUTH:
            if _allows_all(selector, command):
                return _always
            if command.channels or command.key_range is not None:
                permits.append(_of_words(selector, command))
            else:
                searching.append(selector)
        elif command in selector.first_words:
            permits.append(_of_denial(selector, command))
    if searching:
        if command.odd_keys is not None:
            permits.append(_of_words_or_odd(searching, command))
        else:
            permits.append((_of_uses if command.key_plan is None else _of_plan)(searching, command))
    if not permits:
        return _never
    if len(permits) == 1:
        return permits[0]
    return _first_of(*permits) if len(permits) == 2 else _any_of(permits)


def _allows_all(selector: Selector, command: Command) -> bool:
    """Whether a selector allows the command with whatever keys and channels."""
    return (selector.all_keys or not command.names_keys) and (selector.all_channels or not command.channels)


def _of_words(selector: Selector, command: Command) -> Permit:
    """For a command that is allowed as such, with channels, or with keys in fixed places."""
    if command.channels or command.key_range is None:
        return _of_denial(selector, command)
    first, last, step, access = command.key_range
    tests = selector.tests_for(access)
    is_one = last == 0 and command.least > first
    permits = _of_one_key(first, tests) if is_one else _of_range(first, last, step, tests)
    # Where the access depends on the options, that is the most that they can ask for.
    return permits if command.key_flags is None else _first_of(permits, _of_denial(selector, command))


def _of_one_key(position: int, tests: KeyTests) -> Permit:
    prefixes, known, allows = tests
    if prefixes:
        return lambda argv: (key := argv[position]).startswith(prefixes) or known(key) or allows(key)
    return lambda argv: known(argv[position]) or allows(argv[position])


def _of_range(first: int, last: int, step: int, tests: KeyTests) -> Permit:
    prefixes, known, allows = tests

    def permits(argv: Sequence[bytes]) -> bool:
        end = first + last if last >= 0 else len(argv) + last
        if end >= len(argv):  # the handler will refuse it
            return True
        for key in argv[first : end + 1 : step]:  # noqa: SIM110 - all() takes 0.3 us more
            if not (key.startswith(prefixes) or known(key) or allows(key)):
                return False
        return True

    return permits


def _of_plan(selectors: Sequence[Selector], command: Command) -> Permit:
    """For keys in several places, or as many as a word says: they are found once for all ``selectors``."""
    assert command.key_plan is not None, "the keys are described"
    finders = [_finder_of(spec, command) for spec, _ in command.key_plan]
    tests_of_all = [[selector.tests_for(access) for _, access in command.key_plan] for selector in selectors]
    if len(finders) == len(selectors) == 1:
        return _of_place(finders[0], tests_of_all[0][0])

    def permits(argv: Sequence[bytes]) -> bool:
        try:
            found = [find(argv) for find in finders]
        except ValueError:  # the handler will refuse it for the same reason
            return True
        for tests in tests_of_all:
            for positions, test in zip(found, tests, strict=True):
                if not _are_allowed(argv, positions, test):
                    break
            else:
                return True
        return False

    return permits


def _of_place(find: _Finder, tests: KeyTests) -> Permit:
    prefixes, known, allows = tests

    def permits(argv: Sequence[bytes]) -> bool:
        try:
            positions = find(argv)
        except ValueError:
            return True
        for position in positions:
            key = argv[position]
            if not (key.startswith(prefixes) or known(key) or allows(key)):
                return False
        return True

    return permits


def _are_allowed(argv: Sequence[bytes], positions: Iterable[int], tests: KeyTests) -> bool:
    prefixes, known, allows = tests
    for position in positions:
        key = argv[position]
        if not (key.startswith(prefixes) or known(key) or allows(key)):
            return False
    return True


def _finder_of(spec: KeySpec, command: Command) -> _Finder:
    """Finds what ``spec`` describes in calls of ``command``, whose arity is right."""
    if spec.is_fixed_range and spec.last == 0 and command.least > spec.index:
        always = (spec.index,)
        return lambda argv: always
    if spec.count_at is not None and spec.keyword is None:
        count_at, first, step = spec.index + spec.count_at, spec.index + spec.first_key, spec.step

        def find(argv: Sequence[bytes]) -> range:
            count = _ONE_DIGIT.get(argv[count_at]) if count_at < len(argv) else None
            if count is not None and first + (count - 1) * step < len(argv):
                return range(first, first + count * step, step)
            return spec.positions(argv)

        return find
    return spec.positions


def _of_uses(selectors: Sequence[Selector], command: Command) -> Permit:
    """For keys that the command itself finds, once for all ``selectors``."""
    key_uses = command.key_uses
    tests_of_all: list[dict[str, KeyTests]] = [{} for _ in selectors]

    def permits(argv: Sequence[bytes]) -> bool:
        try:
            uses = key_uses(argv)
        except ValueError:
            return True
        for selector, tests in zip(selectors, tests_of_all, strict=True):
            for position, flags in uses:
                if flags not in tests:
                    tests[flags] = selector.tests_for(access_of(flags))
                prefixes, known, allows = tests[flags]
                key = argv[position]
                if not (key.startswith(prefixes) or known(key) or allows(key)):
                    break
            else:
                return True
        return False

    return permits


def _of_words_or_odd(selectors: Sequence[Selector], command: Command) -> Permit:
    """For keys that are described but for odd calls."""
    (spec,) = command.keys
    find, of_odd_calls = spec.positions, _of_uses(selectors, command)
    first, *others = [selector.tests_for(access_of(spec.flags)) for selector in selectors]
    prefixes, known, allows = first

    def permits(argv: Sequence[bytes]) -> bool:
        try:
            positions = find(argv)
        except ValueError:
            return of_odd_calls(argv)
        for position in positions:
            key = argv[position]
            if not (key.startswith(prefixes) or known(key) or allows(key)):
                break
        else:
            return True
        for tests in others:  # noqa: SIM110 - any() takes 0.3 us more
            if _are_allowed(argv, positions, tests):
                return True
        return False

    return permits


def _of_denial(selector: Selector, command: Command) -> Permit:
    denial = selector.denial
    return lambda argv: denial(command, argv) is None


def _first_of(first: Permit, second: Permit) -> Permit:
    return lambda argv: first(argv) or second(argv)


def _any_of(permits: Sequence[Permit]) -> Permit:
    return lambda argv: any(each(argv) for each in permits)


def _always(argv: Sequence[bytes]) -> bool:
    return True


def _never(argv: Sequence[bytes]) -> bool:
    return False
