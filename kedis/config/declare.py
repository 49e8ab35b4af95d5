"""How a setting is declared: once, as an attribute of a group.

    class Network(Group, title="network", effective=True):
        tcp_backlog = integer(511, 0, INT_MAX, "waiting connections that the kernel keeps", fixed=True)

The attribute's name with dashes is the setting's name.  On the classes the attribute is the :class:`Setting`;
on a ``Config`` it is the current value, a plain instance attribute.  The functions below therefore claim to
return the value's type, which is what readers of a configuration see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, TypeVar, Unpack, cast

from kedis.config import setting_types

T = TypeVar("T")


class Traits(TypedDict, total=False):
    """Optional properties of a setting."""

    name: str  # if other than the attribute's name with dashes
    alias: str  # the older name of the same setting
    fixed: bool  # cannot be changed while the server runs
    protected: bool  # cannot be changed unless enable-protected-configs allows it
    hidden: bool  # CONFIG GET returns it only for its exact name
    secret: bool  # a password or the like: MONITOR, SLOWLOG and histories of command lines do not show it
    redis_default: str  # Redis's default as CONFIG GET prints it, if different
    reason: str  # why the default differs
    otherwise: str  # how its effect differs from Redis, or why it has none
    own: bool  # Redis has no such setting
    names_a_file: bool  # set to the value it has, it is applied all the same: the file may be another


class Setting:
    """One setting: its name, kind and default, and what may be done with it."""

    def __init__(self, kind: setting_types.Kind, default: Any, help: str, traits: Traits) -> None:
        self.kind = kind
        self.default = default
        self.help = help
        self.name = traits.get("name", "")
        self.alias = traits.get("alias")
        self.fixed = traits.get("fixed", False)
        self.protected = traits.get("protected", False)
        self.hidden = traits.get("hidden", False)
        self.secret = traits.get("secret", False)
        self.redis_default = traits.get("redis_default")
        self.reason = traits.get("reason", "")
        self.otherwise = traits.get("otherwise", "")
        self.own = traits.get("own", False)
        self.names_a_file = traits.get("names_a_file", False)
        self.attribute = ""
        self.group = ""
        self.effective = False

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute.replace("_", "-")

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, and its older one if there is one."""
        return (self.name, self.alias) if self.alias else (self.name,)

    def initial(self) -> Any:
        """The default as a configuration begins with it; a folder is taken from where the process is now."""
        return (
            self.kind.parse([self.default], None)
            if isinstance(self.kind, setting_types.Folder)
            else self.default
        )

    def parse(self, words: Sequence[str], old: Any) -> Any:
        """The value of ``words``; see :meth:`setting_types.Kind.parse`."""
        if self.kind.many and len(words) == 1:
            words = words[0].split(" ") if words[0] else []
        return self.kind.parse(words, old)


class Group:
    """A group of settings; the title is its heading in the help.

    ``because``: why those without effect have none, unless a setting's own ``otherwise`` says it.
    """

    def __init_subclass__(
        cls, title: str = "", effective: bool = False, because: str = "", **rest: Any
    ) -> None:
        super().__init_subclass__(**rest)
        for setting in vars(cls).values():
            if isinstance(setting, Setting):
                setting.group = title
                setting.effective = effective
                setting.otherwise = setting.otherwise or because


def declared(owner: type) -> list[Setting]:
    """The settings of a class and its bases, in the order of their declaration."""
    return [
        setting
        for base in owner.__mro__
        if issubclass(base, Group)
        for setting in vars(base).values()
        if isinstance(setting, Setting)
    ]


def special(kind: setting_types.Kind, default: T, help: str, **traits: Unpack[Traits]) -> T:
    """A setting of any kind."""
    return cast(T, Setting(kind, default, help, traits))


def flag(default: bool, help: str, **traits: Unpack[Traits]) -> bool:
    """A setting that is yes or no."""
    return special(setting_types.Flag(), default, help, **traits)


def integer(
    default: int,
    low: int,
    high: int,
    help: str,
    *,
    clamp: tuple[int, int] | None = None,
    **traits: Unpack[Traits],
) -> int:
    """A setting that is a whole number."""
    return special(setting_types.Integer(low, high, clamp), default, help, **traits)


def memory(
    default: int,
    help: str,
    low: int = 0,
    high: int = setting_types.LLONG_MAX,
    *,
    clamp: tuple[int, int] | None = None,
    **traits: Unpack[Traits],
) -> int:
    """A setting in bytes."""
    return special(setting_types.Memory(low, high, clamp), default, help, **traits)


def text(default: str, help: str, **traits: Unpack[Traits]) -> str:
    """A setting of any text."""
    return special(setting_types.Text(), default, help, **traits)


def choice(default: str, options: Sequence[str], help: str, **traits: Unpack[Traits]) -> str:
    """A setting that is one of a few words."""
    return special(setting_types.Choice(options), default, help, **traits)
