"""Files and folders that nobody but their owner can read: what holds keys, Secrets' values and the state of a cluster.

The one place that says which modes these have.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700
_OTHERS = 0o077


def folder(path: Path) -> Path:
    """Have a folder that others can neither look into nor reach through; one that they could is closed to them.

    Raises OSError.
    """
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if path.stat().st_mode & _OTHERS:
        path.chmod(FOLDER_MODE)
    return path


def write(path: Path, content: bytes, *, mode: int = FILE_MODE, durable: bool = False) -> None:
    """Write a file so that a reader sees the old content or the new, never a part. Raises OSError.

    One that is not `durable` may be empty after the machine lost its power.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    scratch.replace(path)
