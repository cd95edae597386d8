"""The services of one node: starts, watches, restarts and stops them, as systemd does for a host.

Runs inside the node's init, a process without event loop and threads that may fork at any time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from homeostat.cluster import node_layout
from homeostat.kit import machine_clock
from homeostat.kit.backoff import Backoff
from homeostat.lab.inside.units import Unit
from homeostat.lab.processes.forking import Component, fork_component
from homeostat.runtime.children import forked

_RESTART = Backoff(first_seconds=0.1, ceiling_seconds=5.0)
_FORGIVEN_AFTER_SECONDS = 10.0
# As systemd's TimeoutStopSec, shorter: a lab's users wait for it.
_STOP_SECONDS = 10.0
Then = Callable[[], None]


@dataclass(slots=True)
class _Service:
    """A unit and how it is. `kill_at` is when a stop loses its patience."""

    unit: Unit
    pid: int = 0
    wanted: bool = False
    enabled: bool = True
    since: float = 0.0
    restarts: int = 0
    failures: int = 0
    start_at: float = 0.0
    kill_at: float = 0.0
    code: int = 0
    result: str = "success"
    then: list[Then] | None = None


class Services:
    """See the module. `run` runs a component in a forked child; `own` returns the descriptors of init, closed there."""

    def __init__(self, units: list[Unit], run: Component, own: Callable[[], list[int]]) -> None:
        self._services = {unit.name: _Service(unit) for unit in units}
        self._run = run
        self._own = own

    @property
    def names(self) -> list[str]:
        """All units."""
        return list(self._services)

    def status(self) -> list[dict[str, object]]:
        """Every unit as `systemctl` shows it."""
        return [
            {
                "name": name,
                "description": service.unit.description,
                "state": _state(service),
                "sub": _sub(service),
                "pid": service.pid,
                "since": service.since,
                "enabled": service.enabled,
                "restarts": service.restarts,
                "result": service.result,
                "main_code": service.code,
            }
            for name, service in self._services.items()
        ]

    def start(self, name: str) -> None:
        """Start a unit that does not run. Raises KeyError."""
        service = self._services[name]
        service.wanted = True
        service.failures = 0
        if not service.pid:
            self._launch(service)

    def stop(self, name: str, then: Then) -> None:
        """Stop a unit; `then` when it has ended. Raises KeyError."""
        service = self._services[name]
        service.wanted = False
        if not service.pid:
            service.since = machine_clock.wall()
            then()
            return
        service.then = [*(service.then or []), then]
        if not service.kill_at:
            service.kill_at = machine_clock.monotonic() + _STOP_SECONDS
            self.kill(name, signal.SIGTERM)

    def restart(self, name: str, then: Then) -> None:
        """Stop a unit and start it again. Raises KeyError."""

        def again() -> None:
            self.start(name)
            then()

        self.stop(name, again)

    def enable(self, name: str, *, enabled: bool) -> None:
        """Whether the unit starts with the node. Raises KeyError."""
        self._services[name].enabled = enabled

    def kill(self, name: str, number: int) -> None:
        """Send a signal to a unit's main process. Raises KeyError."""
        if pid := self._services[name].pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # it has just ended

    def retire(self, name: str, number: int) -> bool:
        """Ask a unit once, by a signal, to end for good; returns whether it still runs."""
        service = self._services.get(name)
        if service is None or not service.pid:
            return False
        if service.wanted:
            service.wanted = False
            self.kill(name, number)
        return True

    def ended(self, pid: int, status: int) -> bool:
        """A child of init has ended; whether it was a service."""
        for service in self._services.values():
            if service.pid == pid:
                self._ended(service, status)
                return True
        return False

    def tend(self) -> None:
        """Start what is due, end what does not end."""
        now = machine_clock.monotonic()
        for service in self._services.values():
            if service.wanted and not service.pid and service.start_at <= now:
                service.restarts += 1
                self._launch(service)
            elif service.pid and 0 < service.kill_at <= now:
                service.kill_at = now + _STOP_SECONDS
                self.kill(service.unit.name, signal.SIGKILL)

    def next_wait(self) -> float | None:
        """Seconds until `tend` has something to do; None when only an event can bring it."""
        moments = [s.start_at for s in self._services.values() if s.wanted and not s.pid]
        moments += [s.kill_at for s in self._services.values() if s.pid and s.kill_at]
        return max(0.0, min(moments) - machine_clock.monotonic()) if moments else None

    # -- one service -----------------------------------------------------------------------------------------------

    def _launch(self, service: _Service) -> None:
        unit = service.unit
        service.since = machine_clock.wall()
        service.start_at = 0.0
        _note(f"Started {unit.name}.service - {unit.description}.")
        if unit.component:
            own = self._own()

            def work(argv: list[str]) -> int:
                _redirect(unit.name)
                return self._run(argv)

            service.pid = fork_component(list(unit.argv), work, death_signal=signal.SIGKILL, close=own)
        else:
            service.pid = forked.fork(lambda: _execute(unit), keep=())

    def _ended(self, service: _Service, status: int) -> None:
        service.pid = 0
        service.code = os.waitstatus_to_exitcode(status)
        now = machine_clock.monotonic()
        lived = machine_clock.wall() - service.since
        was_stopped = service.kill_at > 0
        service.kill_at = 0.0
        service.result = (
            "success" if was_stopped or service.code == 0 else ("signal" if service.code < 0 else "exit-code")
        )
        service.since = machine_clock.wall()
        if not service.wanted:
            _note(f"Stopped {service.unit.name}.service - {service.unit.description}.")
        else:
            service.failures = 0 if lived > _FORGIVEN_AFTER_SECONDS else service.failures + 1
            service.start_at = now + _RESTART.delay(max(0, service.failures - 1))
            _note(f"{service.unit.name}.service: Main process exited ({service.result}, code {service.code}).")
        then, service.then = service.then, None
        for callback in then or []:
            callback()


def _state(service: _Service) -> str:
    if service.pid:
        return "deactivating" if service.kill_at else "active"
    if service.wanted:
        return "activating"
    return "failed" if service.result != "success" else "inactive"


def _sub(service: _Service) -> str:
    if service.pid:
        return "stop-sigterm" if service.kill_at else "running"
    return "auto-restart" if service.wanted else ("failed" if service.result != "success" else "dead")


def _execute(unit: Unit) -> int:
    """Become the unit's program."""
    _redirect(unit.name)
    environment = {"PATH": node_layout.PATH, "HOME": "/root", "LANG": "C.UTF-8", **unit.environment}
    os.chdir("/")
    forked.execute(list(unit.argv), environment)


def _redirect(name: str) -> None:
    sink = os.open(f"{node_layout.UNIT_LOGS}/{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    for descriptor in (null, sink):
        os.close(descriptor)


def _note(text: str) -> None:
    moment = machine_clock.rfc3339_nano(machine_clock.wall_nanoseconds())
    with Path(node_layout.UNIT_LOGS, "init.log").open("a") as log:
        log.write(f"{moment} init[1]: {text}\n")
