"""Writing files so that a reader never sees half of one."""

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hwgen.errors import UserError

__all__ = ["check_writable", "write_atomic", "write_together"]


def check_writable(path: Path | str, field: str = "OUT") -> None:
    """A user's error, before long work and not after it, if ``path`` cannot be written.

    Nothing is left behind, nor are folders made.

    Raises
    ------
    UserError
        If ``path`` is a folder, or the folder it lies in, or will be made in, takes no files.
    """
    path = Path(path)
    folder = path.parent
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{field}: {str(path)!r} cannot be written ({error.strerror})") from None


def write_atomic(path: Path | str, data: str | bytes) -> Path:
    """Write ``data`` beside ``path`` and rename it into place; an earlier file survives failures.

    Folders that are missing are made.
    """
    path = Path(path)
    write_together({path: data})
    return path


def write_together(contents: Mapping[Path, str | bytes]) -> None:
    """Write files that belong together: none is renamed into place before all are on the disk.

    Folders that are missing are made. An OSError leaves every earlier file as it was, and nothing
    beside it.
    """
    aside: dict[Path, str] = {}
    try:
        for path, data in contents.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle, aside[path] = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            except OSError as error:  # Nobody knows the file beside it.
                raise OSError(error.errno, error.strerror, str(path)) from None
            with os.fdopen(handle, "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(aside[path], 0o644)
        for path in list(aside):
            os.replace(aside[path], path)
            del aside[path]
    finally:
        for leftover in aside.values():
            os.unlink(leftover)
