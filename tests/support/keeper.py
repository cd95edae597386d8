"""A cluster of a test ends with its test: when that is over, and when its process is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("homeostat"))
DOWN_SECONDS = 80


class Keeper:
    """Waits beside the test and forgets the cluster `name` on request, or when the test's process has ended."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        down = [COMMAND, "down", "--purge", "--name", name]
        program = f"import subprocess, sys; sys.stdin.read(); subprocess.run({down!r}, timeout={DOWN_SECONDS})"
        # A session of its own: what ends the test's does not end this.
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def begin(self) -> None:
        """Take the cluster down."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self) -> None:
        """Wait until it is."""
        self._process.wait(timeout=DOWN_SECONDS + 10)
