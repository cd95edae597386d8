"""Size limits: modules under 400 lines, functions under 70. Prints what breaks them; exit code 1 if any.

`python tools/sizes.py` checks `src/homeostat`; `--stats` also prints the medians and shares that the project watches.
"""

from __future__ import annotations

import ast
import statistics
import sys
from pathlib import Path

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LONG_FUNCTION_LINES = 40
PARAMETERS_MAX = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> list[Function]:
    """Every function and method of a module."""
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def length(function: Function) -> int:
    """Lines from `def` to the last one."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    """How many parameters a caller sees."""
    args = function.args
    names = [a.arg for a in [*args.posonlyargs, *args.args, *args.kwonlyargs]]
    return len([name for name in names if name not in ("self", "cls")])


def main() -> int:
    """Check the tree; returns the exit code."""
    broken: list[str] = []
    modules: list[int] = []
    found: list[Function] = []
    for path in sorted(Path("src/homeostat").rglob("*.py")):
        if path.stem.endswith("_pb2"):
            continue  # compiled from a .proto file
        text = path.read_text()
        lines = text.count("\n")
        modules.append(lines)
        if lines > MODULE_LINES_MAX:
            broken.append(f"{path}: {lines} lines (at most {MODULE_LINES_MAX})")
        tree = ast.parse(text)
        if ast.get_docstring(tree) is None:
            broken.append(f"{path}: no docstring")
        for function in functions(tree):
            found.append(function)
            if length(function) > FUNCTION_LINES_MAX:
                where = f"{path}:{function.lineno}: {function.name}"
                broken.append(f"{where} has {length(function)} lines (at most {FUNCTION_LINES_MAX})")
    if "--stats" in sys.argv:
        long_ones = sum(length(f) > LONG_FUNCTION_LINES for f in found) / len(found)
        wide = sum(parameters(f) > PARAMETERS_MAX for f in found) / len(found)
        print(f"{len(modules)} modules, median {statistics.median(modules):.0f} lines; {len(found)} functions, ")
        print(f"{long_ones:.1%} over {LONG_FUNCTION_LINES} lines, {wide:.1%} with over {PARAMETERS_MAX} parameters")
    print("\n".join(broken) if broken else "sizes: all within the limits")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
