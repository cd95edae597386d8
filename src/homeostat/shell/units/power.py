"""`poweroff`, `reboot`, `halt`, `shutdown`: the node's power, by its init."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.cluster.lab_orders import Order
from homeostat.shell.tool_error import ToolError
from homeostat.shell.units import unit_control


def main(argv: Sequence[str]) -> int:
    """`argv` begins with the tool's name. Returns the exit code. Raises ToolError."""
    tool, words = argv[0], list(argv[1:])
    again = tool == "reboot" or (tool == "shutdown" and "-r" in words)
    later = [word for word in words if word not in ("now", "+0", "-h", "-r", "-P", "-H", "-f", "--force", "-p")]
    if later:
        raise ToolError(f"{tool}: {later[0]}: a node's power changes now or not at all")
    unit_control.ask(Order("reboot" if again else "poweroff"))
    return 0
