"""The law of the doors: outside `kit`, nobody reads a clock, draws a random number or makes a task.

It looks for imports of `time`, `random`, `uuid`, `secrets` and for calls such as `datetime.now`, `asyncio.sleep` and
`create_task`; and for `await`, clocks, chance or logging in decision modules. The law of kinds (`kindlaw`) is checked
with it. Exit code 1 if it finds any.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from kindlaw import kind_faults

ROOT = Path("src/homeostat")
FORBIDDEN_MODULES = {"time", "random", "uuid", "secrets"}
FORBIDDEN_CALLS = {"asyncio.sleep", "asyncio.create_task", "asyncio.ensure_future", "os.urandom"}
FORBIDDEN_METHODS = {"create_task", "utcnow", "now", "today"}
# Modules that only decide: no await, clock, chance or logging.
DECISIONS = ("api/", "controllers/", "scheduler/filters", "scheduler/scores", "network/plan", "node/decide/lifecycle")
NOT_DECISIONS = ("api/facts.py",)
IMPURE_IMPORTS = {"logging", "homeostat.kit.clock", "homeostat.kit.chance", "homeostat.kit.log", "homeostat.kit.tasks"}
PURE_FROM_CLOCK = {"rfc3339", "rfc3339_micro", "rfc3339_nano", "parse_rfc3339", "written", "written_micro"}


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def door_faults(tree: ast.AST) -> list[tuple[int, str]]:
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


def purity_faults(tree: ast.AST) -> list[tuple[int, str]]:
    """What a decision module may not do."""
    faults: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
            faults.append((node.lineno, "awaits"))
        if isinstance(node, ast.ImportFrom) and node.module == "homeostat.kit.clock":
            if not {alias.name for alias in node.names} <= PURE_FROM_CLOCK:
                faults.append((node.lineno, "reads a clock"))
        elif set(imported(node)) & IMPURE_IMPORTS:
            faults.append((node.lineno, f"imports {', '.join(imported(node))}"))  # type: ignore[attr-defined]
    return faults


def main() -> int:
    """Check the tree; returns the exit code."""
    found: list[str] = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text())
        faults = [] if place.startswith("kit/") else door_faults(tree)
        if place.startswith(DECISIONS) and place not in NOT_DECISIONS:
            faults += purity_faults(tree)
        faults += kind_faults(tree, place)
        found += [f"{path}:{line}: {what}" for line, what in faults]
    print(
        "\n".join(found)
        if found
        else "doors: time, chance and tasks come from kit; decisions are pure; kinds are a catalogue's"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
