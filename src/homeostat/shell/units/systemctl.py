"""`systemctl` on a node: its verbs over the node's own init, with systemd's words and exit codes.

Exit codes: `is-active` 3 for what does not run, `status` 3 for what does not run and 4 for what is not known, 5 for a
start or stop of what is not known (systemctl(1), LSB).
"""

from __future__ import annotations

import fnmatch
import signal
from collections.abc import Callable, Iterable, Sequence

from homeostat.cluster.lab_orders import Order
from homeostat.kit import machine_clock
from homeostat.shell.command_flags import Flag, Line, parse, switches, texts
from homeostat.shell.engine import container_engine
from homeostat.shell.stderr import complain
from homeostat.shell.tool_error import ToolError
from homeostat.shell.units import unit_control
from homeostat.shell.units import unit_text as text
from homeostat.shell.units.unit_control import Unit

_FLAGS = [
    *switches("no-pager", "full/l", "now", "quiet/q", "all/a", "value", "no-legend", "plain", "no-block", "force/f"),
    *switches("failed", "no-ask-password", "user", "system", "help/h", "version"),
    *texts("type/t", "lines/n", "output/o", "job-mode", "kill-who", "kill-whom"),
    *[Flag("state", "", "list"), Flag("property", "p", "list"), Flag("signal", "s", "text", "TERM")],
]
_UNKNOWN_STATUS, _NOT_RUNNING, _UNKNOWN_UNIT = 4, 3, 5
_SPECIAL = ("poweroff", "reboot", "halt")
_NOTHING_TO_DO = ("daemon-reload", "daemon-reexec", "reset-failed", "preset", "unmask")
_REFUSED = {
    "mask": "a service that is disabled stays off: `systemctl disable --now`",
    "edit": "a node's services are the cluster's own; their flags are those of `homeostat up --set`",
    "isolate": "a node has one state: running", "set-default": "a node has one state: running",
    "suspend": "a node does not sleep; `homeostat node power-off` turns it off",
    "set-property": "a node's services are not limited",
}  # fmt: skip
# How long a start looks whether the service stays up.
_SETTLE_SECONDS = 0.15
_ENGINE, _READY_SECONDS = "containerd", 10.0


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Raises ToolError."""
    try:
        line = parse(argv, _FLAGS)
    except ToolError as error:
        raise ToolError(f"systemctl: {error.text}", 1) from None
    if line.on("help"):
        print(
            "systemctl [OPTIONS...] COMMAND [UNIT...]\n\nCommands: " + " ".join([*_VERBS, *_SPECIAL, *_NOTHING_TO_DO])
        )
        return 0
    verb, names = (line.words[0], line.words[1:]) if line.words else ("list-units", [])
    if verb in _SPECIAL:
        unit_control.ask(Order("reboot" if verb == "reboot" else "poweroff"))
        return 0
    if verb in _NOTHING_TO_DO:
        return 0
    if verb in _REFUSED:
        raise ToolError(f"systemctl {verb} is not possible here: {_REFUSED[verb]}.")
    if verb not in _VERBS:
        raise ToolError(f"Unknown command verb {verb}.")
    return _VERBS[verb](line, names, unit_control.units())


# -- verbs that change ---------------------------------------------------------------------------------------------


def _order(verb: str, order: str) -> Callable[[Line, Sequence[str], dict[str, Unit]], int]:
    """A verb that is one order for each unit."""

    def act(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
        _some(names)
        code = 0
        for name in names:
            unit = _unit(name, known)
            if unit is None:
                complain(
                    f"Failed to {verb} {unit_control.full(name)}: Unit {unit_control.full(name)} not found."
                    + unit_control.nearest(name, known)
                )
                code = _UNKNOWN_UNIT
                continue
            unit_control.ask(Order(order, unit=unit.real))
            if line.on("now") and order in ("enable", "disable"):
                unit_control.ask(Order("start" if order == "enable" else "stop", unit=unit.real))
            if order in ("start", "restart"):
                code = _watch(unit) or code
        return code

    return act


def _watch(unit: Unit) -> int:
    """Whether a service that was started stays up for a moment; says so when it does not."""
    deadline = machine_clock.monotonic() + _SETTLE_SECONDS
    while machine_clock.monotonic() < deadline:
        now = unit_control.units().get(unit.name)
        if now is not None and (now.state == "failed" or now.sub == "auto-restart"):
            complain(
                f"Job for {unit.file} failed because the control process exited with error code.\n"
                f'See "systemctl status {unit.file}" and "journalctl -xeu {unit.file}" for details.'
            )
            return 1
        machine_clock.pause(_SETTLE_SECONDS / 3)
    if unit.real == _ENGINE:
        _until_it_answers(unit)
    return 0


def _until_it_answers(unit: Unit) -> None:
    """The container engine's start is done when it answers, as with systemd, which it notifies (Type=notify)."""
    deadline = machine_clock.monotonic() + _READY_SECONDS
    while container_engine.listens(container_engine.endpoint()) is not None and machine_clock.monotonic() < deadline:
        machine_clock.pause(_SETTLE_SECONDS / 3)
        if unit_control.units()[unit.name].state != "active":
            return


def _try_restart(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    running = [name for name in _some(names) if (unit := _unit(name, known)) is None or unit.state == "active"]
    return _order("restart", "restart")(line, running, known) if running else 0


def _kill(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    word = line.text("signal").upper().removeprefix("SIG")
    try:
        number = int(word) if word.isdigit() else int(signal.Signals[f"SIG{word}"])
    except KeyError:
        raise ToolError(f"Failed to parse signal string {line.text('signal')}.") from None
    code = 0
    for name in _some(names):
        unit = _unit(name, known)
        if unit is None:
            complain(
                f"Failed to kill unit {unit_control.full(name)}: Unit {unit_control.full(name)} not loaded."
                + unit_control.nearest(name, known)
            )
            code = 1
        else:
            unit_control.ask(Order("kill", unit=unit.real, signal=number))
    return code


# -- verbs that show -----------------------------------------------------------------------------------------------


def _status(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    code = 0
    lines = int(line.text("lines") or 10)
    for place, name in enumerate(names or list(known)):
        unit = _unit(name, known)
        if unit is None:
            complain(f"Unit {unit_control.full(name)} could not be found." + unit_control.nearest(name, known))
            code = _UNKNOWN_STATUS
            continue
        print(
            ("\n" if place else "")
            + "\n".join(text.status(unit, now=machine_clock.wall_nanoseconds() / 1e9, lines=lines))
        )
        code = code or (0 if unit.state in ("active", "activating", "reloading") else _NOT_RUNNING)
    return code


def _is_active(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    found = [_unit(name, known) for name in _some(names)]
    if not line.on("quiet"):
        print("\n".join(unit.state if unit is not None else "inactive" for unit in found))
    if any(unit is not None and unit.state == "active" for unit in found):
        return 0
    return _NOT_RUNNING if any(found) else _UNKNOWN_STATUS


def _is_failed(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    states = [unit.state if (unit := _unit(name, known)) is not None else "inactive" for name in _some(names)]
    if not line.on("quiet"):
        print("\n".join(states))
    return 0 if "failed" in states else 1


def _is_enabled(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    code = 1
    for name in _some(names):
        unit = _unit(name, known)
        if unit is None:
            complain(f"Failed to get unit file state for {unit_control.full(name)}: No such file or directory")
            continue
        code = 0 if unit.enabled else code
        if not line.on("quiet"):
            print("enabled" if unit.enabled else "disabled")
    return code


def _list_units(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    if line.text("type") not in ("", "service"):
        print(text.listing([], legend=not line.on("no-legend")))
        return 0
    shown = [unit for unit in known.values() if _matches(unit, names)]
    states = [state for word in line.all("state") for state in word.split(",")]
    states += ["failed"] if line.on("failed") else []
    if states:
        shown = [unit for unit in shown if unit.state in states or unit.sub in states]
    elif not line.on("all"):
        shown = [unit for unit in shown if unit.state != "inactive"]
    print(text.listing(sorted(shown), legend=not line.on("no-legend")))
    return 0


def _list_files(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    shown = sorted(unit for unit in known.values() if _matches(unit, names))
    print(text.files(shown, legend=not line.on("no-legend")))
    return 0


def _show(line: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    wanted = [word for words in line.all("property") for word in words.split(",")]
    for place, name in enumerate(names):
        values = text.properties(_unit(name, known), unit_control.full(name))
        shown = {key: values.get(key, "") for key in wanted} if wanted else values
        lines = [value if line.on("value") else f"{key}={value}" for key, value in shown.items()]
        print(("\n" if place and not line.on("value") else "") + "\n".join(lines))
    return 0


def _cat(_: Line, names: Sequence[str], known: dict[str, Unit]) -> int:
    code = 0
    for place, name in enumerate(_some(names)):
        unit = _unit(name, known)
        if unit is None:
            complain(f"No files found for {unit_control.full(name)}." + unit_control.nearest(name, known))
            code = 1
        else:
            print(("\n" if place else "") + text.unit_file(unit))
    return code


def _is_system_running(line: Line, _: Sequence[str], known: dict[str, Unit]) -> int:
    degraded = any(unit.state == "failed" for unit in known.values())
    if not line.on("quiet"):
        print("degraded" if degraded else "running")
    return int(degraded)


def _matches(unit: Unit, patterns: Iterable[str]) -> bool:
    words = list(patterns)
    return not words or any(fnmatch.fnmatch(unit.file, unit_control.full(word)) for word in words)


def _unit(name: str, known: dict[str, Unit]) -> Unit | None:
    return known.get(unit_control.plain(name))


def _some(names: Sequence[str]) -> Sequence[str]:
    if not names:
        raise ToolError("Too few arguments.")
    return names


_VERBS: dict[str, Callable[[Line, Sequence[str], dict[str, Unit]], int]] = {
    "start": _order("start", "start"),
    "stop": _order("stop", "stop"),
    "restart": _order("restart", "restart"),
    "reload-or-restart": _order("restart", "restart"),
    "try-restart": _try_restart,
    "enable": _order("enable unit", "enable"),
    "disable": _order("disable unit", "disable"),
    "kill": _kill,
    "status": _status,
    "is-active": _is_active,
    "is-enabled": _is_enabled,
    "is-failed": _is_failed,
    "is-system-running": _is_system_running,
    "list-units": _list_units,
    "list-unit-files": _list_files,
    "show": _show,
    "cat": _cat,
}
