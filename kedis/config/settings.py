"""``Config``: the current value of every setting, as plain attributes.

    config = Config({"maxmemory": "100mb"})
    config.maxmemory                      # 104857600

Commands read attributes; CONFIG SET goes through :meth:`Config.set_many`, which changes all of its settings
or none, and asks the listeners of those that changed.  A listener that refuses undoes everything.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from kedis.config.config_errors import SettingRefused, suggest_name
from kedis.config.declare import Setting, declared
from kedis.config.ignored import DIRECTIVES, REFUSED, REFUSED_DIRECTIVES, AcceptedSettings
from kedis.config.list_types import OutputLimit
from kedis.config.load import Line, file_lines, flag_lines, stream_lines
from kedis.config.setting_types import Folder
from kedis.config.settings_table import SAVE_POINTS, EffectiveSettings
from kedis.errors import CommandError

Listener = Callable[["Config"], None]
CompileGlob = Callable[[bytes, bool], Callable[[bytes], bool]]


class Config(EffectiveSettings, AcceptedSettings):
    """All settings; the attribute of ``some-name`` is ``some_name``.

    Args:
        settings: names and values as CONFIG SET takes them; the rest has its default.

    Raises ConfigError.

    Attributes:
        file: absolute path of the configuration file, None without one.
        renamed_commands: (name, new name) of each ``rename-command``; a new name of "" removes the command.
        user_lines: the ``user`` lines, which the engine applies.
        included: values that included files had a part in, as they were before the flags.
        secret_flags: words of the command line that hold passwords.
        in_program: whether a program has opened the store, which writes to no folder that nobody has named.
        goes_back: a change was refused, and the listeners that had taken it over are called with the former values.
        supervisor: what supervises this process (``no``, ``systemd`` or ``upstart``), found out at the start.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._initial = DEFAULTS | {setting.attribute: setting.initial() for setting in FOLDERS}
        self.__dict__.update(self._initial)
        self._listeners: dict[str, list[Listener]] = {}
        self.file: str | None = None
        self.renamed_commands: list[tuple[str, str]] = []
        self.user_lines: list[Line] = []
        self.included: dict[str, Any] = {}
        self.secret_flags: list[str] = []
        self.in_program = False
        self.goes_back = False
        self.supervisor = "no"
        self._given: set[str] = set()
        #: The last lines that give a setting without effect another value than Redis's default, by the setting's name.
        self._without_effect: dict[str, Line] = {}
        given = settings or {}
        self._load(Line("settings", None, f"{name} = {text!r}", name, [text]) for name, text in given.items())
        self._refuse()

    @classmethod
    def from_command_line(cls, words: Sequence[str], stdin: TextIO | None = None) -> Config:
        """The configuration that ``kedis-server WORDS...`` asks for.

        Args:
            words: ``[FILE | -] [--name value ...] ...``; flags win over the file.
            stdin: what ``-`` reads; the process's own by default.

        Raises ConfigError.
        """
        config = cls()
        flags = list(words)
        if flags and flags[0] == "-":
            config._load(stream_lines(stdin or sys.stdin))
            del flags[0]
        elif flags and not flags[0].startswith("-"):
            config._load(file_lines(flags[0]))
            config.included = {name: config.value(SETTINGS_BY_NAME[name]) for name in config.included}
            config.file = os.path.abspath(flags.pop(0))
        lines = list(flag_lines(flags, NAMES))
        config.secret_flags = [word for line in lines for word in _secrets_of(line)]
        config._load(lines)
        config._refuse()
        return config

    # -- reading ------------------------------------------------------------------------------------------

    @property
    def bind_addresses(self) -> list[str]:
        """The addresses to listen on."""
        return list(self.bind)

    def output_limit(self, kind: str) -> OutputLimit:
        """Hard limit, soft limit (bytes, 0 is none) and soft seconds of normal, replica or pubsub."""
        return self.client_output_buffer_limit[kind]

    def client_memory_limit(self) -> int:
        """Most bytes for all clients together: maxmemory-clients with its share worked out; 0 is no limit."""
        limit = self.maxmemory_clients
        return limit if limit >= 0 else -limit * self.maxmemory // 100

    def text(self, name: str) -> str:
        """A setting as CONFIG GET prints it.  Raises KeyError for an unknown name."""
        setting = SETTINGS_BY_NAME[name]
        return setting.kind.text(self.__dict__[setting.attribute])

    def value(self, setting: Setting) -> Any:
        """The current value."""
        return self.__dict__[setting.attribute]

    def value_of(self, name: str) -> Any:
        """The current value of the setting ``name``. Raises KeyError for an unknown name."""
        return self.value(SETTINGS_BY_NAME[name])

    def initial(self, setting: Setting) -> Any:
        """The value with which this configuration began."""
        return self._initial[setting.attribute]

    def is_unsaid(self, setting: Setting) -> bool:
        """Whether a file without a line for the setting gives its value.

        Given save points are written even if they equal the default ones, which depend on ``appendonly``.
        """
        if setting.attribute == "save":
            return "save" not in self._given
        return bool(self.value(setting) == self.initial(setting))

    def is_given(self, name: str) -> bool:
        """Whether a file, a flag or CONFIG SET has given the setting, be it with its default."""
        return SETTINGS_BY_NAME[name].attribute in self._given

    def ignored(self) -> list[tuple[str, str]]:
        """What was given and does nothing, unless it is Redis's default: name and value, and why it does nothing."""
        return [
            (line.name if line.name in SECRET_SETTINGS else f"{line.name} {' '.join(line.words)}", _why(name))
            for name, line in self._without_effect.items()
        ]

    def keeps_nothing(self) -> bool:
        """Whether the data are lost when the server ends: neither an append-only file nor save points."""
        return not self.appendonly and not self.save

    def has_folder(self) -> bool:
        """Whether ``dir`` may have files: in a program its default may where the data are kept, else it is nobody's."""
        named = self.is_given("dir") or self.is_given("dbfilename")
        return named or not self.in_program or not self.keeps_nothing()

    def get(self, patterns: Iterable[str], compile_glob: CompileGlob) -> dict[str, str]:
        """CONFIG GET: names and printed values.

        A name without pattern characters is answered as it was written, in any case, hidden or not; what two
        patterns match is given once.

        Args:
            compile_glob: makes the predicate of a pattern; its second argument asks to ignore case.
        """
        found: dict[str, str] = {}
        seen = set()
        for pattern in patterns:
            for name in _matching(pattern, compile_glob):
                if name.lower() not in seen:
                    seen.add(name.lower())
                    found[name] = self.text(name.lower())
        return found

    def impose(self, values: Mapping[str, Any]) -> None:
        """Set settings, by their attributes, as if they had been given: no other one changes them by its default."""
        self.__dict__.update(values)
        self._given |= values.keys()

    # -- changing -----------------------------------------------------------------------------------------

    def subscribe(self, name: str, listener: Listener) -> None:
        """Have ``listener(config)`` called after CONFIG SET changed ``name``, or set it again where it names a file.

        It sees the new values.  One that raises SettingRefused must have changed nothing: all settings go
        back, and the listeners called before it are called again.  A listener of several settings is called
        once for all that change together.  Raises KeyError for an unknown name.
        """
        self._listeners.setdefault(SETTINGS_BY_NAME[name].attribute, []).append(listener)

    def set_many(self, pairs: Iterable[tuple[str, str]], local: bool = False) -> None:
        """CONFIG SET: all of ``pairs`` or none.

        Args:
            pairs: names and new values.
            local: whether the client is on this machine, for ``enable-protected-configs local``.

        Raises CommandError in Redis's words.
        """
        values: dict[str, Any] = {}
        culprits: dict[str, str] = {}
        for name, (setting, word) in self._chosen(pairs, local).items():
            old = () if setting.kind.accumulates else self.value(setting)
            try:
                values[setting.attribute] = setting.parse([word], old)
            except ValueError as error:
                raise set_failed(name, str(error)) from None
            if is_refused(setting) and values[setting.attribute] != self.initial(setting):
                raise set_failed(name, f"it would have no effect: {setting.otherwise}")
            culprits[setting.attribute] = name
        given = set(values)
        if "save" not in self._given | given:
            values["save"] = _unless_given(values.get("appendonly", self.appendonly))
            culprits["save"] = "appendonly"
        self._change(values, culprits)
        self._given |= given

    def _chosen(self, pairs: Iterable[tuple[str, str]], local: bool) -> dict[str, tuple[Setting, str]]:
        """The settings that may be set, under the names given.  Raises CommandError."""
        chosen: dict[str, tuple[Setting, str]] = {}
        for given, word in pairs:
            name = given.lower()
            setting = SETTINGS_BY_NAME.get(name)
            if setting is None:
                raise unknown_option(given)
            if setting.fixed and not (setting.own and word == self.text(name)):
                raise set_failed(name, "can't set immutable config")
            if setting.protected and not self._protected_allowed(local):
                raise set_failed(name, "can't set protected config")
            if name in chosen:
                raise set_failed(name, "duplicate parameter")
            chosen[name] = setting, word
        return chosen

    def _protected_allowed(self, local: bool) -> bool:
        return self.enable_protected_configs == "yes" or (local and self.enable_protected_configs == "local")

    def _change(self, values: dict[str, Any], culprits: dict[str, str]) -> None:
        old = {attribute: self.__dict__[attribute] for attribute in values}
        self.__dict__.update(values)
        called: list[Listener] = []
        for attribute in values:
            if values[attribute] == old[attribute] and attribute not in _NAMING_FILES:
                continue
            for listener in self._listeners.get(attribute, ()):
                if listener in called:
                    continue
                try:
                    listener(self)
                except Exception as error:
                    self.__dict__.update(old)
                    self.goes_back = True
                    try:
                        for earlier in called:
                            earlier(self)
                    finally:
                        self.goes_back = False
                    if isinstance(error, SettingRefused):
                        raise set_failed(culprits[attribute], str(error)) from None
                    raise
                called.append(listener)

    # -- loading ------------------------------------------------------------------------------------------

    def _load(self, lines: Iterable[Line]) -> None:
        """Take over the lines of one source; save points add up, over sources, too, as in Redis."""
        seen: set[str] = set()
        for line in lines:
            if line.name in DIRECTIVES:
                self._take_directive(line)
                continue
            setting = SETTINGS_BY_NAME.get(line.name)
            if setting is None:
                raise line.fault(f"there is no setting named {line.name}", suggest_name(line.name, NAMES))
            self._take(setting, line, setting.attribute in seen or setting.attribute in self._given)
            seen.add(setting.attribute)
        self._given |= seen
        if "save" not in self._given:
            self.save = _unless_given(self.appendonly)

    def _take(self, setting: Setting, line: Line, again: bool) -> None:
        old = () if setting.kind.accumulates and not again else self.value(setting)
        try:
            self.__dict__[setting.attribute] = setting.parse(line.words, old)
        except ValueError as error:
            shown = line.without_words() if setting.secret else line
            raise shown.fault(f"{line.name}: {error}", _remedy(setting, line)) from None
        if line.included:
            self.included[setting.name] = None
        if not setting.effective:
            self._without_effect.pop(setting.name, None)
            if self.value(setting) != self.initial(setting):
                self._without_effect[setting.name] = line

    def _take_directive(self, line: Line) -> None:
        if line.name == "include":
            raise line.fault(
                "include is allowed in files only", "give the file as the first word, or include it there"
            )
        if line.name == "rename-command":
            if len(line.words) != 2:
                raise line.fault(
                    "wrong number of arguments", 'rename-command takes a command and its new name or ""'
                )
            self.renamed_commands.append((line.words[0], line.words[1]))
            return
        if line.name == "user":
            self.user_lines.append(line)
            return
        self._without_effect[line.name] = line

    def _refuse(self) -> None:
        """Raise ConfigError for a setting or a directive that does nothing here, and whose effect would be missed."""
        for name, line in self._without_effect.items():
            if name in REFUSED_DIRECTIVES:
                raise line.fault(f"it would have no effect: {REFUSED_DIRECTIVES[name]}", f"remove {name}")
            setting = SETTINGS_BY_NAME.get(name)
            if setting is not None and is_refused(setting):
                remedy = f"remove it, or give Redis's default, which is {_shown_default(setting)}"
                raise line.fault(f"it would have no effect: {setting.otherwise}", remedy)


def _secrets_of(line: Line) -> list[str]:
    """The words that hold passwords, or what they are recognised by."""
    if line.name == "user":
        return [word for word in line.words if word.startswith((">", "#"))]
    return line.words if line.name in SECRET_SETTINGS else []


def _unless_given(appendonly: bool) -> tuple[tuple[int, int], ...]:
    """The save points used if none are given."""
    return () if appendonly else SAVE_POINTS


def is_refused(setting: Setting) -> bool:
    """Whether any value but the default is refused."""
    return not setting.effective and setting.name in REFUSED


def _why(name: str) -> str:
    setting = SETTINGS_BY_NAME.get(name)
    return setting.otherwise if setting is not None else DIRECTIVES[name]


def unknown_option(name: str) -> CommandError:
    """The error for a setting that does not exist."""
    return CommandError(f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")


def set_failed(name: str, reason: str) -> CommandError:
    """The error for an invalid value."""
    return CommandError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")


def _matching(pattern: str, compile_glob: CompileGlob) -> list[str]:
    if not any(char in pattern for char in "[*?"):
        return [pattern] if pattern.lower() in SETTINGS_BY_NAME else []
    matches = compile_glob(pattern.encode("utf-8", "surrogateescape"), True)
    return [
        name for name, setting in SETTINGS_BY_NAME.items() if not setting.hidden and matches(name.encode())
    ]


def _remedy(setting: Setting, line: Line) -> str:
    expected = f"{line.name} takes {setting.kind.expected()}; the default is {_shown_default(setting)}"
    if any(word.startswith("#") for word in line.words[1:]):
        return f"{expected}. A comment needs a line of its own"
    return expected


def _shown_default(setting: Setting) -> str:
    default = setting.default
    return default if isinstance(default, str) and default else ", ".join(setting.kind.lines(default))


#: Every setting, in the order of the table.
SETTINGS = declared(Config)
#: Each default by its attribute, and the settings whose default depends on where the process is.
DEFAULTS = {setting.attribute: setting.default for setting in SETTINGS}
FOLDERS = [setting for setting in SETTINGS if isinstance(setting.kind, Folder)]
#: Attributes of those that are applied when they are set to the value they have.
_NAMING_FILES = frozenset(setting.attribute for setting in SETTINGS if setting.names_a_file)
#: All by name; older names map to the same setting.
SETTINGS_BY_NAME = {name: setting for setting in SETTINGS for name in setting.names}
#: Names of the settings that hold a password.
SECRET_SETTINGS = frozenset(name for name, setting in SETTINGS_BY_NAME.items() if setting.secret)
#: Names that may begin a line or follow ``--``.
NAMES = frozenset(SETTINGS_BY_NAME) | frozenset(DIRECTIVES)
