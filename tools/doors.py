"""Checks the layering law of `kit`: outside it, nobody reads a clock, draws a random number or makes a task.

It looks for imports of `time`, `random`, `uuid`, `secrets` and for calls such as `datetime.now`, `asyncio.sleep` and
`create_task`. The laws of purity (`purity`) and of kinds (`kindlaw`) are checked with it. Exit code 1 if it finds any
fault.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from kindlaw import kind_faults
from purity import purity_faults

ROOT = Path("src/homeostat")
FORBIDDEN_MODULES = {"time", "random", "uuid", "secrets"}
FORBIDDEN_CALLS = {"asyncio.sleep", "asyncio.create_task", "asyncio.ensure_future", "os.urandom"}
FORBIDDEN_METHODS = {"create_task", "utcnow", "now", "today"}


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def kit_faults(tree: ast.AST) -> list[tuple[int, str]]:
    """Uses of time, chance or task creation that belong into `kit`."""
    faults: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        for name in imported(node):
            if name.split(".")[0] in FORBIDDEN_MODULES:
                faults.append((node.lineno, f"imports {name}"))  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            if called in FORBIDDEN_CALLS or (
                node.func.attr in FORBIDDEN_METHODS and called.startswith(("datetime", "asyncio", "loop", "date."))
            ):
                faults.append((node.lineno, f"calls {called}"))
    return faults


def main() -> int:
    """Check the tree; returns the exit code."""
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
    faults = list(purity_faults(trees))
    for place, tree in trees.items():
        own = [] if place.startswith("kit/") else kit_faults(tree)
        faults += [(place, fault) for fault in (*own, *kind_faults(tree, place))]
    found = [f"{ROOT / place}:{line}: {what}" for place, (line, what) in sorted(faults)]
    print(
        "\n".join(found)
        if found
        else "layering: only kit uses time, chance and tasks; what says it is pure is; kinds are from the catalogue"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
