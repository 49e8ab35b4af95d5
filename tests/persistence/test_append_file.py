"""Appending: all of a call or nothing, by whatever the kernel takes at a time, and without copies of large pieces."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest

from kedis.persistence import append_file
from kedis.persistence.append_file import CHECKSUM_BYTES, AppendFile
from kedis.persistence.checksum import PREFIX, checksum_line

SHAPES = [
    [b"abc"],
    [b"a" * 200_000],
    [b"a", b"", b"b" * 100_000, b"c"],
    [b"%d" % number for number in range(5000)],
    [b""],
]


def expected(*calls: list[bytes]) -> bytes:
    """The content of a file after these writes, and a seal."""
    whole = uncovered = b""
    for at, pieces in enumerate(calls):
        uncovered += b"".join(pieces)
        if uncovered and (len(uncovered) >= CHECKSUM_BYTES or at == len(calls) - 1):
            whole += uncovered + checksum_line(crc32(uncovered), len(uncovered))
            uncovered = b""
    return whole


@pytest.mark.parametrize("pieces", SHAPES, ids=lambda pieces: f"{len(pieces)} pieces")
def test_pieces_stand_one_after_the_other(tmp_path: Path, pieces: list[bytes]) -> None:
    file = AppendFile(str(tmp_path / "file"))
    assert file.write(pieces) == sum(map(len, pieces))
    file.write([b"next"])
    file.seal()
    file.seal()
    file.close()
    content = (tmp_path / "file").read_bytes()
    assert content == expected(pieces, [b"next"]) and file.size == len(content)


@pytest.mark.parametrize("pieces", SHAPES, ids=lambda pieces: f"{len(pieces)} pieces")
def test_the_kernel_takes_a_part_at_a_time(
    tmp_path: Path, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, real = os.write, os.writev
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:1000]))

    def take_some(fd: int, buffers: Sequence[bytes]) -> int:
        assert 0 < len(buffers) <= 1024
        return real(fd, [memoryview(each)[:7000] for each in buffers[:1]])

    monkeypatch.setattr(os, "writev", take_some)
    file = AppendFile(str(tmp_path / "file"))
    file.write(pieces)
    file.seal()
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == expected(pieces)
    file.close()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), MemoryError()], ids=["disk", "memory"])
@pytest.mark.parametrize("can_cut", [True, False])
def test_what_fails_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, error: Exception, can_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AppendFile(str(tmp_path / "file"))
    file.write([b"before"])
    file.seal()
    before = (tmp_path / "file").read_bytes()
    real = os.writev
    groups = 0

    def fail_later(fd: int, buffers: Sequence[bytes]) -> int:
        nonlocal groups
        groups += 1
        if groups == 3:
            raise error
        return real(fd, buffers)

    def cannot_cut(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "broken")

    many = [b"%d" % number for number in range(5000)]
    monkeypatch.setattr(os, "writev", fail_later)
    if not can_cut:
        monkeypatch.setattr(os, "ftruncate", cannot_cut)
    with pytest.raises(type(error)):
        file.write(many)
    monkeypatch.undo()
    if can_cut:
        assert (tmp_path / "file").read_bytes() == before
    file.write(many)
    file.seal()
    assert (tmp_path / "file").read_bytes() == before + expected(many)
    file.close()


def test_no_memory_for_the_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AppendFile(str(tmp_path / "file"))

    def fail(crc: int, length: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr(append_file, "checksum_line", fail)
    many = [b"x" * CHECKSUM_BYTES]
    with pytest.raises(MemoryError):
        file.write(many)
    file.write([b"kept"])
    with pytest.raises(MemoryError):
        file.seal()
    monkeypatch.undo()
    file.seal()
    assert (tmp_path / "file").read_bytes() == expected([b"kept"])
    file.close()


def test_a_checksum_costs_small_writes_next_to_nothing(tmp_path: Path) -> None:
    """A line for each flush made the file of single SETs larger by 44 %."""
    file = AppendFile(str(tmp_path / "file"))
    for _ in range(10_000):
        file.write([b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"])
    file.close()
    content = (tmp_path / "file").read_bytes()
    lines = content.count(PREFIX)
    assert lines == 10_000 * 27 // CHECKSUM_BYTES and len(content) < 1.001 * 270_000
    assert expected(*[[b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"]] * 10_000).startswith(content)


def test_nothing_is_sealed_without_checksums(tmp_path: Path) -> None:
    file = AppendFile(str(tmp_path / "file"), checksums=False)
    file.write([b"x" * 2 * CHECKSUM_BYTES])
    file.seal()
    file.close()
    assert (tmp_path / "file").read_bytes() == b"x" * 2 * CHECKSUM_BYTES
