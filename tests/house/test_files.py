"""Files appear whole, and those that belong together appear together."""

import os

import pytest

from hwgen.files import write_atomic, write_together


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_text_and_bytes(tmp_path):
    assert write_atomic(tmp_path / "a" / "b.txt", "größer") == tmp_path / "a" / "b.txt"
    write_atomic(str(tmp_path / "c.bin"), b"\xff")
    assert contents(tmp_path) == {"b.txt": "größer".encode(), "c.bin": b"\xff"}


def test_an_earlier_file_is_replaced(tmp_path):
    write_atomic(tmp_path / "a", "old")
    write_atomic(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": b"new"}


def test_others_may_read_it(tmp_path):
    assert write_atomic(tmp_path / "a", "x").stat().st_mode & 0o777 == 0o644


def test_nothing_changes_if_one_of_several_cannot_be_written(tmp_path):
    write_together({tmp_path / "a": "old a", tmp_path / "b": "old b"})
    (tmp_path / "c").mkdir()
    with pytest.raises(IsADirectoryError):
        write_together({tmp_path / "a": "new", tmp_path / "b": "new", tmp_path / "c": "new"})
    assert contents(tmp_path) == {"a": b"old a", "b": b"old b"}


def test_nothing_changes_if_the_disk_is_full(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a", "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": b"old"}
