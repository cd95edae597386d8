"""The modules of `tools/`, which are programs and no package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

_FOLDER = str(Path(__file__).parents[2] / "tools")


def tool(name: str) -> ModuleType:
    """The module of one tool; those that it imports are found beside it."""
    if _FOLDER not in sys.path:
        sys.path.append(_FOLDER)
    return importlib.import_module(name)
