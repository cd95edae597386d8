"""Rotating the logs that an engine writes: `0.log` becomes `0.log.1`, and so on, and the engine begins a new file.

Rule: pkg/kubelet/logs/container_log_manager.go; the names are those that `runtime.logs.log_reader` reads.
"""

from __future__ import annotations

import os


def due(path: str, bytes_max: int) -> bool:
    """Whether the log has grown beyond what one file may have."""
    try:
        return bool(path) and os.stat(path).st_size > bytes_max
    except OSError:
        return False


def rotate(path: str, files_max: int) -> None:
    """Move each file on by one; the oldest is removed. Raises OSError."""
    for number in range(files_max - 1, 0, -1):
        older = f"{path}.{number - 1}" if number > 1 else path
        if os.path.exists(older):
            os.replace(older, f"{path}.{number}")
