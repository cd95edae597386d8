"""Giving a volume to the pod's group (fsGroup): files to the group, folders so that new files are the group's too.

Rule: pkg/volume/volume_linux.go (SetVolumeOwnership).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

WRITABLE = 0o660
_FOLDER_BITS = stat.S_ISGID | 0o110


def give(folder: Path, group: int, bits: int = WRITABLE) -> None:
    """Give all that is at and below `folder` to `group`, with at least the permissions of `bits`. Raises OSError."""
    for path, _, files in os.walk(folder):
        _give_one(path, group, bits | _FOLDER_BITS)
        for name in files:
            _give_one(os.path.join(path, name), group, bits)


def _give_one(path: str, group: int, bits: int) -> None:
    os.chown(path, -1, group, follow_symlinks=False)
    mode = os.lstat(path).st_mode
    if not stat.S_ISLNK(mode):
        os.chmod(path, stat.S_IMODE(mode) | bits)
