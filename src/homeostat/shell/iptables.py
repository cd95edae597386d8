"""`iptables` on a node: the real one, word for word; an ACCEPT appended behind a DROP of the same packets is explained.

The guide's second rule does not undo its first on any firewall; this one stays as it is, and the shell says why.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from homeostat.runtime.children.forked import execute
from homeostat.shell import shadowed_rules
from homeostat.shell.stderr import complain
from homeostat.shell.tool_error import ToolError

_PLACES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_APPENDS = ("-A", "--append")


def main(argv: Sequence[str]) -> int:
    """`argv` begins with the tool's name. Returns the real tool's exit code, or becomes it. Raises ToolError."""
    real, words = _real(argv[0]), list(argv[1:])
    if not (any(word in _APPENDS for word in words) and "ACCEPT" in words):
        execute([real, *words], dict(os.environ))
    child = subprocess.call([real, *words])
    if child == 0 and (chain := _value(words, *_APPENDS)):
        _explain(real, argv[0], chain, words)
    return child if child >= 0 else 128 - child


def _explain(real: str, tool: str, chain: str, words: list[str]) -> None:
    table = _value(words, "-t", "--table") or "filter"
    listed = subprocess.run([real, "-w", "-t", table, "-S", chain], capture_output=True, text=True, check=False)
    rules = [line for line in listed.stdout.splitlines() if line.startswith("-A")]
    if listed.returncode or not rules:
        return
    # As the firewall prints what it has just been given: names are resolved, defaults are filled in.
    if found := shadowed_rules.shadowed(rules, rules[-1]):
        complain(shadowed_rules.explanation(found, tool=tool, table=table))


def _value(words: Sequence[str], *options: str) -> str:
    for place, word in enumerate(words[:-1]):
        if word in options:
            return words[place + 1]
    return ""


def _real(tool: str) -> str:
    for place in _PLACES:
        path = f"{place}/{tool}"
        if os.access(path, os.X_OK):
            return path
    raise ToolError(f"{tool}: command not found: the host has no iptables (on Debian: apt-get install iptables)", 127)
