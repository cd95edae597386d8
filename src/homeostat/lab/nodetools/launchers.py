"""The scripts on a node's PATH: one for each tool, by name."""

from __future__ import annotations

import shlex

from homeostat.lab.nodetools.__main__ import NAMES


def launchers(python: str) -> dict[str, str]:
    """Name and text of every script; `python` is the interpreter as the node sees it.

    `-P` keeps the folder where a person stands off the module path.
    """
    word = shlex.quote(python)
    return {name: f'#!/bin/sh\nexec {word} -P -m homeostat.lab.nodetools {name} "$@"\n' for name in NAMES}
