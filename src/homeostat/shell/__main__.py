"""`python -m homeostat.shell TOOL ARGUMENT...`: one of a node's tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from homeostat.shell.stderr import complain
from homeostat.shell.tool_error import ToolError

_TOOLS = {
    "docker": "docker.main",
    "crictl": "crictl",
    "systemctl": "units.systemctl",
    "journalctl": "units.journalctl",
    "service": "units.service_command",
    "poweroff": "units.power",
    "reboot": "units.power",
    "halt": "units.power",
    "shutdown": "units.power",
    "iptables": "iptables",
    "iptables-nft": "iptables",
    "iptables-legacy": "iptables",
    "sudo": "sudo",
}
NAMES = tuple(_TOOLS)


def run(tool: str, argv: Sequence[str]) -> int:
    """Run one tool; returns its exit code."""
    if tool not in _TOOLS:
        complain(f"there is no tool {tool!r}: {', '.join(_TOOLS)}")
        return 127
    module = import_module(f"homeostat.shell.{_TOOLS[tool]}")
    try:
        words = [tool, *argv] if _TOOLS[tool] in ("units.power", "iptables") else list(argv)
        code = int(module.main(words))
        sys.stdout.flush()
        return code
    except ToolError as error:
        complain(error.text)
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has left (`docker logs x | head`): nothing more to say, and nothing to flush at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def main() -> None:
    """The entry point."""
    if len(sys.argv) < 2:
        complain(f"usage: python -m homeostat.shell TOOL ARGUMENT...\ntools: {', '.join(_TOOLS)}")
        sys.exit(2)
    sys.exit(run(sys.argv[1], sys.argv[2:]))


if __name__ == "__main__":
    main()
