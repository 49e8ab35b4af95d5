"""Standard output as bytes: replies in the chosen form, errors where the flags want them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from kedis.cli.client.render import Form, encode, is_plain_text, render
from kedis.cli.client.wire import ErrorReply


@dataclass
class Output:
    """Where and how replies are printed."""

    form: Form = Form.RAW
    delimiter: bytes = b"\n"
    after_reply: bytes = b"\n"
    errors_apart: bool = False
    stream: BinaryIO | None = None

    def show(self, words: Sequence[bytes], reply: object) -> None:
        """Print the reply to a command."""
        if isinstance(reply, ErrorReply) and self.errors_apart:
            self.complain(encode(reply))
            return
        if is_plain_text(words):
            self.write(render(reply, Form.RAW))
            return
        end = self.after_reply if self.form is Form.RAW else b"\n"
        self.write(render(reply, self.form, self.delimiter) + end)

    def write(self, data: bytes) -> None:
        """Print bytes at once."""
        stream = self.stream or sys.stdout.buffer
        stream.write(data)
        stream.flush()

    def complain(self, line: bytes) -> None:
        """Print a line on standard error."""
        sys.stderr.buffer.write(line + b"\n")
        sys.stderr.buffer.flush()
