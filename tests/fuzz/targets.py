"""All targets of the fuzzers, by name."""

from __future__ import annotations

from tests.fuzz.lua_targets import MessagePack, Struct
from tests.fuzz.replication_targets import Replication
from tests.fuzz.stored_targets import Aof, ManifestFile, Rdb
from tests.fuzz.target import Target
from tests.fuzz.text_targets import ConfigFile, Rules
from tests.fuzz.wire_targets import Commands, Parser

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (
        Parser,
        Commands,
        Rdb,
        Aof,
        ManifestFile,
        Rules,
        ConfigFile,
        MessagePack,
        Struct,
        Replication,
    )
}
