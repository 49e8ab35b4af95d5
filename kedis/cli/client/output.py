"""Standard output as bytes: replies in the chosen form, errors where the flags want them.

Redirected output, and the raw form anywhere, is byte for byte the reply. On a terminal the other forms are escaped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from kedis.cli.client.render import (
    Form,
    elements_of,
    encode,
    is_plain_text,
    page_on_terminal,
    render,
    render_on_terminal,
)
from kedis.cli.client.wire import ErrorReply
from kedis.cli.terminal_text import one_line, visible


@dataclass
class Output:
    """Where and how replies are printed.

    on_terminal: control sequences in them are escaped.
    shows_pushes: push messages are printed, before the reply that came after them.
    """

    form: Form = Form.RAW
    delimiter: bytes = b"\n"
    after_reply: bytes = b"\n"
    errors_apart: bool = False
    on_terminal: bool = False
    stream: BinaryIO | None = None
    shows_pushes: bool = False

    def show(self, words: Sequence[bytes], reply: object) -> None:
        """Print the reply to a command."""
        if isinstance(reply, ErrorReply) and self.errors_apart:
            complain(reply)
        elif self.on_terminal:
            page = is_plain_text(words)
            text = page_on_terminal(reply) if page else render_on_terminal(reply, self.form) + "\n"
            self.write(text.encode())
        elif is_plain_text(words):
            self.write(render(reply, Form.RAW))
        else:
            end = self.after_reply if self.form is Form.RAW else b"\n"
            self.write(render(reply, self.form, self.delimiter) + end)

    def show_push(self, push: Sequence[object]) -> None:
        """Print a push message; on a terminal `-> invalidate: "key"`, as redis-cli."""
        keys = elements_of(push[1]) if len(push) == 2 and push[0] == b"invalidate" else None
        if self.on_terminal and self.form is Form.HUMAN and keys is not None:
            shown = ", ".join(one_line(render(key, Form.HUMAN).decode()) for key in keys)
            self.write(f"-> invalidate: {shown}\n".encode())
        else:
            self.show([b"PUSH"], list(push))

    def write(self, data: bytes) -> None:
        """Print bytes at once."""
        stream = self.stream or sys.stdout.buffer
        stream.write(data)
        stream.flush()


def complain(text: str) -> None:
    """Print a line on standard error; text of a server in it is escaped."""
    data = encode(visible(text) if sys.stderr.isatty() else text)
    sys.stderr.buffer.write(data + b"\n")
    sys.stderr.buffer.flush()
