"""A node's clock that is wrong on purpose, for `homeostat node clock`."""

from __future__ import annotations

import shlex

from homeostat.api import durations
from homeostat.cluster import node_layout
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.hosts import enter
from homeostat.operate.name_checks import check_host

_SECONDS_MAX = 366 * 86_400.0
_ENTER_SECONDS = 30.0


def parse_shift(text: str) -> float:
    """Seconds ahead (negative: behind) of `+10m`, `-90s`, `1h` or `0`. Pure. Raises LabError."""
    try:
        seconds = 0.0 if text.lstrip("+-") == "0" else durations.parse(text.lstrip("+-"))
    except ValueError:
        raise LabError(f"{text!r} says no shift of a clock; one is +10m, -90s or 0") from None
    if text.count("+") + text.count("-") > 1:
        raise LabError(f"{text!r} says no shift of a clock; one is +10m, -90s or 0")
    if seconds > _SECONDS_MAX:
        raise LabError("a clock can be wrong by a year at most")
    return -seconds if text.startswith("-") else seconds


def shift_clock(folder: Folder, node: str, text: str) -> str:
    """Set the clock of a node that is on; what that means, for a person. Raises LabError."""
    seconds = parse_shift(text)
    check_host(folder.load(), node)
    new = shlex.quote(f"{node_layout.CLOCK_SHIFT}.new")
    script = f"mkdir -p {node_layout.CLOCK} && echo {seconds:.3f} > {new} && mv {new} {node_layout.CLOCK_SHIFT}"
    done = enter.run(folder, node, ("sh", "-c", script), timeout_seconds=_ENTER_SECONDS)
    if done.returncode:
        raise LabError(f"the clock of {node} cannot be set: {done.stderr.decode(errors='replace').strip()}")
    if not seconds:
        return f"the clock of {node} is right"
    how = "ahead of" if seconds > 0 else "behind"
    back = f"`homeostat node clock {node} 0` sets it right"
    return f"the clock of {node} is {durations.format(abs(seconds))} {how} the others; {back}"
