"""The terminal of the standalone mode, as a Protocol that tests can implement."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Protocol

from kedis.cli.terminal_text import visible

_REDRAW_SECONDS = 0.2
_LINE_LENGTH = 80


class Prompt(Protocol):
    """A place where a person reads and types lines."""

    def say(self, text: str) -> None:
        """Print a line."""
        ...

    def ask(self, question: str) -> str:
        """Ask for a line; "" for none (Enter, Ctrl-C)."""
        ...


class Terminal(Protocol):
    """Prints, asks for a choice, and shows progress."""

    def say(self, text: str) -> None:
        """Print text."""
        ...

    def ask(self, question: str, choices: Mapping[str, str]) -> str:
        """Let the user choose; returns the letter of the choice, or "" for none (Enter, Ctrl-C).

        choices: the meaning of each letter or word.
        """
        ...

    def progress(self, done: int, total: int) -> None:
        """Show the progress of a long operation."""
        ...


class Console:
    """A non-interactive terminal: lines and progress on standard error."""

    def __init__(self) -> None:
        self._drawn = 0.0

    def say(self, text: str) -> None:
        """See Terminal.say."""
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()

    def ask(self, question: str, choices: Mapping[str, str]) -> str:
        """See Terminal.ask: returns "", since there is no person to answer."""
        return ""

    def progress(self, done: int, total: int) -> None:
        """See Terminal.progress: one line that is drawn again, a few times a second, and then removed."""
        if not sys.stderr.isatty():
            return
        now = time.monotonic()
        if done >= total:
            sys.stderr.write("\r\x1b[K")
        elif now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            sys.stderr.write(f"\r{done} of {total} ({100 * done // total} %)\x1b[K")
        sys.stderr.flush()


class PromptTerminal(Console):
    """The terminal of an interactive session, which is at `prompt`."""

    def __init__(self, prompt: Prompt) -> None:
        super().__init__()
        self._prompt = prompt

    def say(self, text: str) -> None:
        """See Terminal.say."""
        self._prompt.say(text)

    def ask(self, question: str, choices: Mapping[str, str]) -> str:
        """See Terminal.ask: choices are printed in one line where they fit."""
        self.say(question)
        texts = [f"  {letter}  {meaning}" for letter, meaning in choices.items()]
        short = sum(map(len, texts)) < _LINE_LENGTH
        self.say(("  " if short else "\n").join(texts))
        while True:
            answer = self._prompt.ask(f"{'/'.join(choices)}?").lower()
            if not answer or answer in choices:
                return answer
            self.say(f"please answer one of {', '.join(choices)} (Enter: none of them)")
