"""The scripts on a node's PATH: one for each tool, by name."""

from __future__ import annotations

import shlex
from pathlib import Path

import homeostat
from homeostat.shell.__main__ import NAMES

_SOURCE = Path(homeostat.__file__).resolve().parent.parent
# Found where this program was found, in whatever way that was; an import is quicker than `-m`.
_PROGRAM = "import sys; sys.path.insert(0, {source!r}); from homeostat.shell.__main__ import main; main()"


def launchers(python: str, source: Path = _SOURCE) -> dict[str, str]:
    """Name and text of every script; `python` is the interpreter and `source` the package's folder, as the node sees
    them.

    `-P` keeps the current folder off the module path.
    """
    words = shlex.join([python, "-P", "-c", _PROGRAM.format(source=str(source))])
    return {name: f'#!/bin/sh\nexec {words} {name} "$@"\n' for name in NAMES}
