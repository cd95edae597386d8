"""The process beside containers: it starts them, logs them, waits for them, and leaves nothing of them behind.

As containerd has shims: an agent may die and come back while containers run on. One shim has any number of containers
in its charge (`runtime.shim.container_process`). A lab has one for all (`lab.processes.container_host`), forked from
the warm parent; elsewhere each container has its own, a program (`python -m homeostat.runtime.shim.shim_process
FOLDER`) that imports only a few parts of the standard library and so starts in milliseconds. A container's first
process adopts the orphans among its descendants; when it ends, the shim adopts them and ends them, even those in other
sessions: every child that is not known here came from a container that ended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from homeostat.kit import machine_clock
from homeostat.runtime.children import forked
from homeostat.runtime.children.descriptors import Descriptors
from homeostat.runtime.children.processes import children, kill, mark_of, reap
from homeostat.runtime.shim.container_process import Charge, claim

ALREADY_RUN = 3
# How long the end of a container may wait for leftovers that do not die (in an uninterruptible sleep).
_LEFTOVERS_SECONDS_MAX = 2.0


class Shim:
    """See the module. A command whose first word is one of `names` is not executed as a program: `builtin` runs it in
    the forked child. `descriptors` may be given others to watch."""

    def __init__(self, builtin: forked.Builtin | None = None, *, names: Collection[str] = ()) -> None:
        if builtin is not None and not names:
            raise ValueError("a builtin needs the names of its commands")
        self.descriptors = Descriptors()
        self.asked_to_stop = False
        self._builtin = builtin
        self._names = names
        self._charges: dict[str, Charge] = {}
        # Containers that have ended, of which a visitor has not seen all.
        self._lingering: list[Charge] = []
        self._strays: set[int] = set()
        self._leftovers_until = 0.0
        self._wake, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.descriptors.watch(self._wake, lambda: os.read(self._wake, 4096))
        forked.adopt_orphans()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._ask_to_stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Who is attached may leave at any time.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _ask_to_stop(self) -> None:
        self.asked_to_stop = True

    @property
    def folders(self) -> list[Path]:
        """Those of the containers in its charge."""
        return [charge.folder for charge in self._charges.values()]

    @property
    def lingers(self) -> bool:
        """Whether a visitor has still to take what a container wrote before it ended; none is waited for in the end."""
        self._lingering = [charge for charge in self._lingering if charge.lingers]
        return bool(self._lingering) and not self.asked_to_stop

    def take(self, folder: Path) -> bool:
        """Start the container of `folder`; False when it is asked to end, or another shim has or had the container.

        Raises OSError, or ValueError and KeyError on a folder that is none.
        """
        lock = None if self.asked_to_stop else claim(folder)
        if lock is None:
            return False
        try:
            charge = Charge(folder, lock, self.descriptors)
            charge.start(self._builtin if charge.spec["argv"][0] in self._names else None)
        except BaseException:
            os.close(lock)
            raise
        self._charges[folder.name] = charge
        return True

    def end(self, folder: Path, *, now: bool = False) -> None:
        """Have a container end: in good order with a moment's grace, or `now`."""
        charge = self._charges.get(folder.name)
        if charge is not None:
            charge.end(now=now)

    def serve(self, done: Callable[[], bool]) -> None:
        """Look after the containers until `done()`. When it is asked to end (SIGTERM) it ends them all."""
        while not done():
            self.descriptors.serve(self._wait())
            if self.asked_to_stop:
                for charge in self._charges.values():
                    charge.end(now=False)
            self._reap()
            now = machine_clock.monotonic()
            for charge in self._charges.values():
                charge.tend(now)

    def _wait(self) -> float | None:
        moments = [charge.kill_at for charge in self._charges.values() if charge.kill_at]
        if self._leftovers_until:
            moments.append(self._leftovers_until)
        return max(0.0, min(moments) - machine_clock.monotonic()) if moments else None

    def _reap(self) -> None:
        found = False
        for pid, status in reap():
            found = True
            self._strays.discard(pid)
            for charge in self._charges.values():
                if pid in charge.pids:
                    charge.reaped(pid, status)
        if found:
            self._look_for_orphans()
        ended = [charge for charge in self._charges.values() if charge.status is not None]
        if not ended:
            self._leftovers_until = 0.0
            return
        now = machine_clock.monotonic()
        self._leftovers_until = self._leftovers_until or now + _LEFTOVERS_SECONDS_MAX
        for charge in ended:
            if now >= self._leftovers_until or not (self._strays or charge.pids):
                charge.finish()
                del self._charges[charge.folder.name]
                self._lingering = [each for each in (*self._lingering, charge) if each.lingers]

    def _look_for_orphans(self) -> None:
        """What a command that ran inside left behind belongs to its container; all else to one that ended."""
        known = self._strays.union(*(charge.pids for charge in self._charges.values()))
        for pid in children():
            if pid in known:
                continue
            charge = self._charges.get(mark_of(pid))
            if charge is not None and charge.status is None:
                charge.guests.add(pid)
            else:
                self._strays.add(pid)
                kill(pid)


def run(container_dir: Path, builtin: forked.Builtin | None = None, *, names: Collection[str] = ()) -> int:
    """Run the container of `container_dir` to its end. Returns 0, or ALREADY_RUN when another shim has or had it."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    shim = Shim(builtin, names=names)
    if not shim.take(container_dir):
        return ALREADY_RUN
    shim.serve(lambda: not shim.folders and not shim.lingers)
    return 0


if __name__ == "__main__":
    # Without the interpreter's own clean-up: the agent waits for this process to end.
    os._exit(run(Path(sys.argv[1])))
