"""Completion scripts for bash, zsh and fish, made from the table of flags.

    eval "$(kedis-cli --completion bash)"

The names of commands come from this package's own command table; kedis-server's flags from the table of
settings.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from kedis.cli.client.catalogue import builtin
from kedis.config.declare import declared
from kedis.config.settings_table import EffectiveSettings

_FILES = ("FILE", "FOLDER")


@dataclass(frozen=True)
class Flag:
    """A flag for completion: its spellings, its help, its possible values."""

    names: tuple[str, ...]
    text: str
    takes_value: bool = False
    choices: tuple[str, ...] = ()
    takes_file: bool = False


def client_flags(parser: argparse.ArgumentParser) -> list[Flag]:
    """The flags of kedis-cli."""
    return [
        Flag(
            tuple(action.option_strings),
            (action.help or "").split(";")[0].replace("%%", "%"),
            action.nargs != 0,
            tuple(map(str, action.choices or ())),
            action.metavar in _FILES,
        )
        for action in parser._actions
        if action.option_strings
    ]


def server_flags() -> list[Flag]:
    """The flags of kedis-server: every setting."""
    return [
        Flag((f"--{setting.name}",), setting.help.split("\n")[0].split(". ")[0].rstrip("."), True)
        for setting in declared(EffectiveSettings)
    ]


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for a shell: bash, zsh or fish."""
    commands = [entry.name for entry in builtin().commands()]
    tools = [("kedis-cli", client_flags(parser), commands), ("kedis-server", server_flags(), [])]
    return "\n".join(_WRITERS[shell](tool, flags, words) for tool, flags, words in tools)


def _bash(tool: str, flags: list[Flag], commands: list[str]) -> str:
    function = "_" + tool.replace("-", "_")
    cases = []
    for flag in flags:
        if flag.takes_value:
            offer = f'-W "{" ".join(flag.choices)}"' if flag.choices else "-f" if flag.takes_file else None
            reply = f'COMPREPLY=($(compgen {offer} -- "$cur"))' if offer else "COMPREPLY=()"
            cases.append(f"        {'|'.join(flag.names)}) {reply}; return ;;")
    names = " ".join(name for flag in flags for name in flag.names)
    return f"""\
{function}() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
    case "$prev" in
{chr(10).join(cases)}
    esac
    if [[ "$cur" == -* ]]; then
        COMPREPLY=($(compgen -W "{names}" -- "$cur"))
    else
        COMPREPLY=($(compgen -W "{" ".join(commands)}" -- "${{cur^^}}"))
    fi
}}
complete -o default -F {function} {tool}
"""


def _zsh(tool: str, flags: list[Flag], commands: list[str]) -> str:
    function = "_" + tool.replace("-", "_")
    specs = []
    for flag in flags:
        text = flag.text.replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", " ")
        value = ""
        if flag.takes_value:
            action = f"({' '.join(flag.choices)})" if flag.choices else "_files" if flag.takes_file else " "
            value = f":value:{action}"
        exclusion = f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
        specs += [f"        '{exclusion}{name}[{text}]{value}'" for name in flag.names]
    if commands:
        specs.append(f"        '1:command:({' '.join(commands)})'")
    lines = " \\\n".join(specs)
    return f"""\
{function}() {{
    _arguments \\
{lines} \\
        '*::argument:_default'
}}
compdef {function} {tool}
"""


def _fish(tool: str, flags: list[Flag], commands: list[str]) -> str:
    lines = [f"complete -c {tool} -f"]
    for flag in flags:
        spellings = " ".join(
            f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names
        )
        value = ""
        if flag.takes_value:
            value = (
                f" -x -a '{' '.join(flag.choices)}'"
                if flag.choices
                else " -r -F"
                if flag.takes_file
                else " -x"
            )
        text = flag.text.replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"complete -c {tool} {spellings}{value} -d '{text}'")
    if commands:
        lines.append(f"complete -c {tool} -n __fish_is_first_token -a '{' '.join(commands)}'")
    return "\n".join(lines) + "\n"


_WRITERS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
