"""A real terminal around kedis-cli: a pty for the program, an emulator for what a person would see."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping

import pexpect
import pyte

WAIT_SECONDS = 15


class Terminal:
    """kedis-cli in a pty of 100 columns. End it with :meth:`close`."""

    def __init__(self, *flags: str, home: str, environment: Mapping[str, str] = {}) -> None:
        variables = {
            **os.environ,
            "HOME": home,
            "TERM": "xterm-256color",
            "PAGER": "cat",
            **environment,
        }
        variables.pop("NO_COLOR", None)
        self.screen = pyte.HistoryScreen(100, 40, history=5000)
        self._stream = pyte.ByteStream(self.screen)
        #: All that the program has written, escape sequences included.
        self.raw = bytearray()
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "kedis.cli.client.main", *flags],
            env=variables,
            dimensions=(40, 100),
            timeout=WAIT_SECONDS,
        )

        self.process.delaybeforesend = None
        # The program asks where the cursor is, and shows its toolbar only when a terminal tells.
        setattr(self.screen, "write_process_input", self.process.send)  # noqa: B010 - pyte means it to be set

    def text(self) -> str:
        """What is on the screen, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, condition: Callable[[str], bool], what: str = "") -> str:
        """Read until the screen fulfils a condition; returns the screen. Fails after some seconds."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition(self.text()):
            left = deadline - time.monotonic()
            try:
                data = self.process.read_nonblocking(65_536, timeout=max(0.01, left))
                self.raw += data
                self._stream.feed(data)
            except (pexpect.TIMEOUT, pexpect.EOF):
                if condition(self.text()):
                    break
                raise AssertionError(f"the terminal never showed {what!r}:\n{self.text()}") from None
        return self.text()

    def see(self, what: str) -> str:
        """Wait until the text stands on the screen."""
        return self.until(lambda text: what in text, what)

    def at_prompt(self, prompt: str) -> str:
        """Wait until the cursor stands behind a prompt with nothing typed."""

        def waiting(_text: str) -> bool:
            line = self.screen.display[self.screen.cursor.y]
            return line[: self.screen.cursor.x].rstrip() == prompt.rstrip() and self._blank_behind(line)

        return self.until(waiting, f"the prompt {prompt}")

    def _blank_behind(self, line: str) -> bool:
        return not line[self.screen.cursor.x :].strip()

    def type(self, text: str) -> None:
        """Type without Enter."""
        self.process.send(text)

    def enter(self, line: str) -> None:
        """Type a line and Enter."""
        self.process.send(line + "\r")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send("\x03")

    def run(self, line: str, prompt: str) -> str:
        """Clear the screen, run a line, wait for `prompt`; returns what was printed in between."""
        self.process.send("\x0c")
        self.until(lambda _text: self.screen.cursor.y == 0 and not self._row(1), "a clear screen")
        self.enter(line)
        self.until(lambda _text: self._is_back(prompt), f"{prompt} after {line}")
        return "\n".join(map(self._row, range(1, self.screen.cursor.y)))

    def _is_back(self, prompt: str) -> bool:
        column, row = self.screen.cursor.x, self.screen.cursor.y
        return row > 0 and self.screen.display[row][:column].rstrip() == prompt.rstrip()

    def _row(self, number: int) -> str:
        return str(self.screen.display[number]).rstrip()

    def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        self.until(lambda _text: not self.process.isalive(), "its end")
        self.process.wait()
        return int(self.process.exitstatus or 0)

    def close(self) -> None:
        """End the program."""
        self.process.close(force=True)
