"""The manifest: what is accepted, and the twelve ways to be refused, with nothing changed on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from kedis.persistence.folder import AofError
from kedis.persistence.manifest import Entry, Manifest, ManifestError, parse_manifest
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, load
from tests.persistence.server import encode, files, write_folder

BAD = {
    "empty": (b"", "empty"),
    "blank line": (LISTING + b"\n", "line 3"),
    "long line": (b"#" + b"x" * 1024 + b"\n" + LISTING, "longer than 1024"),
    "odd fields": (b"file a seq 1 type b more\n", "pairs"),
    "few fields": (b"file a seq 1\n", "pairs"),
    "path": (b"file a/b seq 1 type b\n", "path"),
    "two bases": (b"file a seq 1 type b\nfile b seq 2 type b\n", "second base"),
    "unknown type": (b"file a seq 1 type x\n", "unknown type"),
    "seq 0": (b"file a seq 0 type i\n", "above zero"),
    "seq not a number": (b"file a seq 1_0 type i\n", "above zero"),
    "seqs fall": (b"file a seq 2 type i\nfile b seq 1 type i\n", "line 2"),
    "seqs repeat": (b"file a seq 1 type i\nfile b seq 1 type i\n", "line 2"),
    "no line end": (LISTING[:-1], "no end"),
    "unbalanced": (b'file "a seq 1 type i\n', "quotes"),
    "only comments": (b"# nothing\n", "no file"),
}


@pytest.mark.parametrize(("content", "problem"), BAD.values(), ids=BAD.keys())
def test_refused(content: bytes, problem: str) -> None:
    with pytest.raises(ManifestError, match=problem):
        parse_manifest(content)


@pytest.mark.parametrize(("content", "problem"), BAD.values(), ids=BAD.keys())
def test_a_refused_folder_is_not_touched(tmp_path: Path, content: bytes, problem: str) -> None:
    write_folder(tmp_path, {BASE: b"", INCR: encode("SET", "a", 1), "a": b"", "b": b"", MANIFEST: content})
    before = files(tmp_path)
    with pytest.raises(AofError, match=MANIFEST):
        load(tmp_path)
    assert files(tmp_path) == before


def test_a_listed_file_that_is_missing(tmp_path: Path) -> None:
    write_folder(tmp_path, {BASE: b"", MANIFEST: LISTING})
    with pytest.raises(AofError, match=f"lists {INCR}, which is missing"):
        load(tmp_path)
    assert files(tmp_path) == {BASE: b"", MANIFEST: LISTING}


def test_the_file_of_an_old_version_that_is_missing_is_named(tmp_path: Path) -> None:
    """An upgrade that was interrupted is finished by the next start, if its file is there."""
    listing = b"file appendonly.aof seq 1 type b\n"
    write_folder(tmp_path, {MANIFEST: listing})
    with pytest.raises(AofError, match=r"lists appendonly\.aof, which is missing"):
        load(tmp_path)
    assert files(tmp_path) == {MANIFEST: listing}


def test_files_without_a_manifest_are_not_overwritten(tmp_path: Path) -> None:
    write_folder(tmp_path, {INCR: encode("SET", "a", 1)})
    with pytest.raises(AofError, match=r"manifest .* is missing"):
        load(tmp_path)
    assert files(tmp_path) == {INCR: encode("SET", "a", 1)}


def test_accepted() -> None:
    manifest = parse_manifest(
        b'# a comment\nfile b.3 seq 3 type b\nfile old seq 1 type h\nTYPE i SEQ 7 FILE "with space" zork 9\n'
        b"file z seq 9 type i\n"
    )
    assert manifest.base == Entry("b.3", 3, "b")
    assert manifest.incrs == [Entry("with space", 7, "i"), Entry("z", 9, "i")]
    assert manifest.history == [Entry("old", 1, "h")]
    assert (manifest.base_seq, manifest.incr_seq) == (3, 9)


@pytest.mark.parametrize(
    "name", ["a.aof", "with space.aof", 'quote".aof', "back\\slash", "\udcff\udcfe", "tab\t"]
)
def test_a_manifest_survives_the_file(name: str) -> None:
    manifest = Manifest()
    manifest.add_base(name)
    manifest.add_incr(name)
    manifest.add_incr(name)
    manifest.add_base(name)
    manifest.retire_incrs(keep=1)
    assert parse_manifest(manifest.format()) == manifest
    assert len(manifest.history) == 2


def test_white_space_in_names_is_written_as_redis_does() -> None:
    manifest = Manifest()
    manifest.add_base(" file seq \n\n.aof ", as_rdb=True)
    assert manifest.format() == b'file " file seq \\n\\n.aof .1.base.rdb" seq 1 type b\n'
    assert parse_manifest(manifest.format()) == manifest
