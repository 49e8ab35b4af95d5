"""The interactive session: a read-eval-print loop.

When the link is lost, `on_lost` reports it, and the next command connects again, unless the standalone mode provides
another link. Lines that begin with ':' are meta-commands: those of `meta_commands`, and of the standalone mode.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from kedis.cli.client import catalogue, confirm, meta_commands
from kedis.cli.client.builtins import BUILTINS, Quit
from kedis.cli.client.completion import CommandCompleter, CommandLexer, KeyNames, hint
from kedis.cli.client.display import Display
from kedis.cli.client.history import open_history
from kedis.cli.client.link import SILENCE_SECONDS, Link, LinkLost, Refused, ServerLink, outcome
from kedis.cli.client.listening import LISTENING, live_line
from kedis.cli.client.render import encode
from kedis.cli.client.standalone import fallback, standalone_commands
from kedis.cli.client.standalone.home import StandaloneError
from kedis.cli.client.standalone.probe import Probe
from kedis.cli.client.target import Target
from kedis.cli.client.wire import ErrorReply
from kedis.cli.terminal_text import visible
from kedis.errors import ProtocolError
from kedis.resp.requests import split_inline

# The time of a slower reply is printed even without :timing.
_SLOW_SECONDS = 0.5
# Timeout of the connection that completes key names, during typing.
_SIDE_TIMEOUT_SECONDS = 0.3


class Shell:
    """One interactive session. `run()` returns when the user leaves.

    Args:
        target: the server; a successful AUTH is remembered in it for the next connection.
        options: the command line.
    """

    def __init__(self, target: Target, options: argparse.Namespace) -> None:
        self.target = target
        self.options = options
        self.link: Link | None = None
        self.transaction = False
        self.timing = False
        self.catalogue = catalogue.Catalogue()
        self.display = Display(color=not (options.no_color or os.environ.get("NO_COLOR")))
        self._meta_commands: dict[str, Callable[[Shell, list[str]], None]] = {
            **meta_commands.commands(),
            **standalone_commands.commands(),
        }
        self.on_lost: Callable[[LinkLost], None] = self._offer_standalone
        # Watches for the server's return while standing alone.
        self.probe: Probe | None = None
        self._declined = False
        # The standalone mode has failed (disk full): commands must not go to the server unasked.
        self._stranded = False
        self._side: Link | None = None
        self._side_of: Link | None = None
        self.history = open_history(os.environ, not options.no_history)
        self._session = self._make_session()

    # -- the loop

    def run(self) -> int:
        """Connect, then read and run lines until the user leaves; returns the exit code."""
        try:
            self.connect()
        except Refused as error:
            self.say(str(error))
            return 1
        except LinkLost as error:
            self.lose(error)
        while True:
            try:
                self.execute(self._session.prompt(self.prompt))
            except KeyboardInterrupt:
                continue
            except (EOFError, Quit):
                break
        self.close()
        return 0

    def execute(self, line: str) -> None:
        """Run one line. Raises Quit."""
        line = line.replace("\\\n", " ").strip()
        if not line:
            return
        if line.startswith(":"):
            self._run_meta(line[1:].split())
            return
        try:
            words = split_inline(encode(line.replace("\n", " ")))
        except ProtocolError:
            self.say("Invalid argument(s): the quotes do not match")
            return
        times = 1
        if len(words) > 1 and words[0].isdigit():
            times, words = int(words[0]), words[1:]
        try:
            for _ in range(times):
                if not self._run(words):
                    break
        except LinkLost as error:
            if error.is_closed and words[0].lower() == b"shutdown":
                self._stopped()  # which is its answer
                return
            if not isinstance(error, (Refused, StandaloneError)):
                self.say(f"({outcome(error, self.link is None)})")
            self.lose(error)
        except KeyboardInterrupt:
            self._interrupted()

    def prompt(self) -> StyleAndTextTuples:
        """`127.0.0.1:6379[2](TX)> `; in the standalone mode in another color."""
        if self.link is None:
            return [("ansired", "not connected> ")]
        is_alone = not isinstance(self.link, ServerLink)
        database = f"[{self.link.database}]" if self.link.database else ""
        parts: StyleAndTextTuples = [
            ("bold ansiyellow" if is_alone else "", self.link.description + database)
        ]
        if self.transaction:
            parts.append(("ansimagenta", "(TX)"))
        return [*parts, ("bold ansiyellow" if is_alone else "", "> ")]

    # -- talking

    @property
    def help_lines(self) -> Mapping[str, str]:
        """The lines of :help for the meta-commands of the standalone mode."""
        return standalone_commands.SUMMARIES

    def say(self, text: str) -> None:
        """Print a line of the client's own; control sequences in it are escaped."""
        sys.stdout.write(visible(text) + "\n")
        sys.stdout.flush()

    def ask(self, question: str) -> str:
        """Ask for a line; it never reaches the history. Ctrl-C and Ctrl-D answer with nothing."""
        try:
            return PromptSession[str]().prompt(f"{question} ").strip()
        except (EOFError, KeyboardInterrupt):
            return ""

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; anything but yes is no."""
        return self.ask(f"{question} [y/N]").lower() in ("y", "yes")

    # -- the link

    def connect(self, target: Target | None = None) -> None:
        """Connect to a target, or again to the present one; the old link is kept until that succeeds.

        Raises LinkLost.
        """
        target = target or self.target
        link = ServerLink(target, self.options.protocol or 3, self.options.timeout)
        if self.link is not None:
            self.link.close()
        link.on_silence = lambda: self.say(
            f"(no answer for {SILENCE_SECONDS:g} seconds; Ctrl-C gives up waiting)"
        )
        if self.options.verbose:
            link.tell = self.say
            self.say(f"connected to {link.description}, RESP{link.protocol}")
        self.target = target
        self._declined = False
        for warning in link.warnings:
            self.say(warning)
        self.use(link)
        standalone_commands.connected(self)
        if isinstance(reply := link.send([b"PING"]), ErrorReply) and reply.startswith("NOAUTH"):
            self.say(
                "This server wants a password: AUTH [user] password (it will not be kept in the history)."
            )

    def use(self, link: Link) -> None:
        """Go on with another link. Raises LinkLost."""
        self.link = link
        self.transaction = self._stranded = False
        self.catalogue = catalogue.load(link)

    def lose(self, error: LinkLost) -> None:
        """Close the lost link and report the loss."""
        self._unlink()
        if self.transaction:
            self.transaction = False
            self.say("The transaction (MULTI) went with the connection: nothing of it was run.")
        if isinstance(error, Refused):
            # The server refuses this password now: drop it, so that NOAUTH asks for another.
            self.say(str(error))
            self.target = replace(self.target, user=None, password=None)
            return
        self.on_lost(error)

    def _stopped(self) -> None:
        """The server is gone because SHUTDOWN asked for it: nobody is asked whether to go on alone."""
        self._unlink()
        self.transaction = False
        self.say("The server has stopped. The next command tries to connect again.")

    def _unlink(self) -> None:
        if self.link is not None:
            self.target = replace(self.target, database=self.link.database)
            self.link.close()
        self.link = None
        if not self.catalogue.entries:
            self.catalogue = catalogue.builtin()

    def announce(self, text: str) -> bool:
        """Print above the prompt, from another thread; False when the session is not at its prompt."""
        app = self._session.app
        loop = app.loop
        if loop is None or not app.is_running:
            return False
        loop.call_soon_threadsafe(lambda: run_in_terminal(lambda: self.say(text)))
        return True

    def close(self) -> None:
        """Close the connections."""
        if self.probe is not None:
            self.probe.stop()
        for link in (self.link, self._side):
            if link is not None:
                link.close()

    def _offer_standalone(self, error: LinkLost) -> None:
        """Report the loss, and offer the standalone mode, once per connection."""
        self.say(str(error))
        if isinstance(error, StandaloneError):
            self._stranded = True
            return
        if self._declined:
            self.say("The next command tries to connect again; :standalone goes on alone.")
            return
        link = fallback.offer(self, error)
        if link is not None:
            self.use(link)
            return
        self._declined = True
        self.say("The next command tries to connect again.")

    def _interrupted(self) -> None:
        """Ctrl-C while waiting for a reply: connect anew, since the reply is still pending."""
        if not isinstance(self.link, ServerLink):
            self.say("")
            if callable(stop := getattr(self.link, "stop_listening", None)):
                self.transaction = False
                stop()
            return
        self.say("\nGave up waiting; the command may still be run by the server.")
        self._reconnect()

    def _reconnect(self) -> None:
        assert self.link is not None
        self.target = replace(self.target, database=self.link.database)
        self.link.close()
        lost_transaction, self.transaction = self.transaction, False
        try:
            self.connect()
        except LinkLost as error:
            self.transaction = lost_transaction
            self.lose(error)

    # -- commands

    def _run(self, words: list[bytes]) -> bool:
        """Run one command; False when a repetition would be pointless. Raises LinkLost, Quit."""
        name = words[0].lower()
        if name in BUILTINS:
            BUILTINS[name](self, words)
            return True
        if self._stranded:
            self.say("Standing alone has failed; :standalone goes on with it, :reconnect goes to the server.")
            return False
        if self.link is None:
            self.connect()
        assert self.link is not None
        warning = confirm.question(words, self._count_keys)
        if warning is not None and not self.confirm(f"{warning} Run it?"):
            self.say("(not run)")
            return False
        if name in LISTENING:
            self._listen(words)
            return False
        begun = time.perf_counter()
        reply = self.link.send(words)
        seconds = time.perf_counter() - begun
        self._note(words, reply)
        self.display.show(words, reply)
        self._show_pushes()
        if self.timing or seconds > _SLOW_SECONDS:
            self.say(f"({seconds * 1000:.3f} ms)" if seconds < 1 else f"({seconds:.2f} s)")
        return True

    def _note(self, words: list[bytes], reply: object) -> None:
        """Follow MULTI, EXEC, AUTH … in the state of the session, once the server has accepted them."""
        name = words[0].upper()
        if name in (b"EXEC", b"DISCARD", b"RESET"):
            self.transaction = False
        if isinstance(reply, ErrorReply) or reply == "QUEUED":
            return
        if name == b"MULTI":
            self.transaction = True
        elif name == b"AUTH" and len(words) in (2, 3):
            self._remember_login(words)

    def _remember_login(self, words: list[bytes]) -> None:
        user = os.fsdecode(words[1]) if len(words) == 3 else None
        self.target = replace(self.target, user=user, password=os.fsdecode(words[-1]))
        link = self.link
        if isinstance(link, ServerLink):
            if link.protocol == 2 and self.options.protocol != 2:
                link.send([b"HELLO", b"3"])
            if not self.catalogue.entries or link.database != self.target.database:
                link.send([b"SELECT", b"%d" % self.target.database])

    def _count_keys(self) -> int:
        if self.link is None or self.transaction:
            return 0
        size = self.link.send([b"DBSIZE"])
        return size if isinstance(size, int) else 0

    def _show_pushes(self) -> None:
        while isinstance(self.link, ServerLink) and self.link.pushes:
            push = self.link.pushes.popleft()
            if self.options.show_pushes != "no":
                self.say(live_line(push))

    def _listen(self, words: list[bytes]) -> None:
        """SUBSCRIBE and MONITOR: print messages until Ctrl-C, then return to the prompt."""
        assert self.link is not None
        link = self.link
        reply: object = link.send(words)
        if isinstance(reply, ErrorReply):
            self.display.show(words, reply)
            return
        self.say("Reading messages... (press Ctrl-C to stop)")
        try:
            while True:
                if reply is not None:
                    self.say(live_line(reply))
                reply = link.read_push(None)
        except KeyboardInterrupt:
            self.say("")
        if isinstance(link, ServerLink):
            # A new connection has no subscriptions; redis-cli does the same.
            self._reconnect()
        elif callable(stop := getattr(link, "stop_listening", None)):
            stop()

    def _run_meta(self, words: list[str]) -> None:
        handler = self._meta_commands.get(words[0].lower()) if words else None
        if handler is None:
            self.say("No such command of the client; there are:")
            handler = meta_commands.help_
        try:
            handler(self, words[1:])
        except LinkLost as error:
            self.lose(error)
        except KeyboardInterrupt:
            self.say("")

    # -- completion and toolbar

    def side_link(self) -> Link | None:
        """A separate link for completing key names; None when there is none."""
        if self.link is None or self.transaction:
            return None
        if not isinstance(self.link, ServerLink):
            return self.link
        fits = self._side is not None and self._side.database == self.link.database
        if not fits or self._side_of is not self.link:
            if self._side is not None:
                self._side.close()
            # Tried once per connection and database: typing must not wait for a dead server.
            self._side, self._side_of = None, self.link
            target = replace(self.target, database=self.link.database)
            try:
                self._side = ServerLink(target, 2, _SIDE_TIMEOUT_SECONDS)
            except LinkLost:
                return None
        return self._side

    def _make_session(self) -> PromptSession[str]:
        keys = KeyNames(self.side_link)
        return PromptSession(
            history=self.history,
            completer=CommandCompleter(lambda: self.catalogue, lambda: self._meta_commands, keys),
            lexer=CommandLexer(lambda: self.catalogue),
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._toolbar,
            complete_while_typing=True,
            multiline=True,
            prompt_continuation="... ",
            key_bindings=_bindings(),
            style=None,
        )

    def _toolbar(self) -> StyleAndTextTuples:
        text = self._session.default_buffer.document.text_before_cursor
        return hint(self.catalogue, text) or [
            ("", " help: what there is   Tab: complete   Ctrl-R: search   Ctrl-D: leave")
        ]


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    return bindings
