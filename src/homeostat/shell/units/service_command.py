"""`service NAME ACTION`: the older way to say `systemctl ACTION NAME`."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.shell.tool_error import ToolError
from homeostat.shell.units import systemctl, unit_control

_ACTIONS = ("start", "stop", "restart", "status", "try-restart", "reload", "force-reload")


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code. Raises ToolError."""
    if list(argv) == ["--status-all"]:
        for unit in unit_control.units().values():
            print(f" [ {'+' if unit.state == 'active' else '-'} ]  {unit.name}")
        return 0
    if len(argv) < 2 or argv[1] not in _ACTIONS:
        raise ToolError(f"Usage: service < option > | --status-all | [ service_name [ {' | '.join(_ACTIONS)} ] ]")
    action = "restart" if argv[1].endswith("reload") else argv[1]
    return systemctl.main([action, argv[0]])
