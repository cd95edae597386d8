"""Starting a container's shim: as a fresh small interpreter here, from a warm parent in the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import homeostat
from homeostat.runtime.process.shim_watch import Exit


class Launcher(Protocol):
    """Starts the shim of one container folder."""

    async def launch(self, container_dir: Path) -> int:
        """The shim's process ID. Raises OSError when none could be started."""
        ...


class LocalLauncher:
    """A child of this process each time: the standard library only, no site packages, about 30 ms to start."""

    def __init__(self) -> None:
        self._package_root = str(Path(homeostat.__file__).parent.parent)

    async def launch(self, container_dir: Path) -> int:
        """See Launcher. The shim's own complaints, if ever, are in `shim.log` of the folder."""
        pid = self._spawn(container_dir)
        Exit(pid, lambda: None)  # reaps it
        return pid

    def _spawn(self, container_dir: Path) -> int:
        with open(container_dir / "shim.log", "ab") as complaints:
            process = subprocess.Popen(
                [sys.executable, "-S", "-m", "homeostat.runtime.shim.shim_process", str(container_dir)],
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=complaints,
                env={**os.environ, "PYTHONPATH": self._package_root},
                cwd="/",
                start_new_session=True,
            )
        # `Popen` must not warn about a child it sees no end of.
        process.returncode = 0
        return process.pid
