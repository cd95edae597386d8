"""`sudo`: the user of a node is root already, so the command just runs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from homeostat.runtime.children.forked import execute
from homeostat.shell.command_flags import parse, switches, texts
from homeostat.shell.tool_error import ToolError

_FLAGS = [
    *switches("login/i", "shell/s", "preserve-env/E", "non-interactive/n", "stdin/S", "set-home/H", "validate/v"),
    *texts("user/u", "group/g", "prompt/p"),
]
_ROOTS = ("", "root", "core", "#0")


def main(argv: Sequence[str]) -> int:
    """Become the command; returns only when there is none. Raises ToolError."""
    line = parse(argv, _FLAGS, to_first_word=True)
    if line.text("user") not in _ROOTS:
        raise ToolError(f"sudo: unknown user {line.text('user')}: a node has root alone (core is root, too)")
    words = line.words
    while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
        name, _, value = words.pop(0).partition("=")
        os.environ[name] = value
    if line.on("login") or line.on("shell"):
        shell = os.environ.get("SHELL", "/bin/bash")
        words = [shell, *(["-l"] if line.on("login") else []), *(["-c", " ".join(words)] if words else [])]
    if not words:
        if line.on("validate"):
            return 0
        raise ToolError("usage: sudo [-E] [-i] [-s] [NAME=VALUE] COMMAND [ARGUMENT...]")
    try:
        execute(words, dict(os.environ))
    except FileNotFoundError:
        raise ToolError(f"sudo: {words[0]}: command not found") from None
    except OSError as error:
        raise ToolError(f"sudo: unable to execute {words[0]}: {error.strerror}") from None
