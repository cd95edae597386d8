"""The title of a process: what `ps aux` shows as its command line, and `top` as its name.

A forked component has the command line of its parent. The kernel reads a command line from the process's own memory
(where its stack began), so it is changed there: into the room of the old arguments and of the environment behind them,
which Python copied when it started.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

_PR_SET_NAME = 15
_NAME_BYTES = 15
_ARG_START, _ARG_END, _ENV_START, _ENV_END = 47, 48, 49, 50  # fields of /proc/PID/stat, counted from 0
_libc = ctypes.CDLL(None, use_errno=True)


def set_title(argv: Sequence[str]) -> bool:
    """Show `argv` as this process's command line, and the last part of its first word as its name.

    What does not fit is cut. False when the kernel does not say where the old one is (then only the name changes).
    """
    words = [word.encode() for word in argv]
    _libc.prctl(_PR_SET_NAME, words[0].rpartition(b"/")[2][:_NAME_BYTES], 0, 0, 0)
    room = _room()
    if room is None:
        return False
    start, arguments, whole = room
    data = title_bytes(words, arguments, whole)
    if len(data) > arguments:
        _move_environment()
    ctypes.memmove(start, data, len(data))
    return True


def title_bytes(words: Sequence[bytes], arguments: int, whole: int) -> bytes:
    """What is written over the old arguments, which had so many bytes, or over the environment as well. Pure.

    The kernel takes a last byte of the arguments that is not zero as the sign of a title that continues behind them; it
    then reads one text up to a zero (proc(5); fs/proc/base.c). So words are separated by zeros only where they fit.
    """
    text = b"\0".join(words)
    if len(text) < arguments:
        return text + b"\0" * (arguments - len(text))
    size = whole if whole > arguments else arguments
    text = b" ".join(words)[: size - 1]
    return text + b"\0" * (size - len(text))


def _move_environment() -> None:
    """Have the C library keep its own copy of every variable, away from where the title is written."""
    for name, value in os.environb.items():
        os.putenv(name, value)


def _room() -> tuple[int, int, int] | None:
    """Where the arguments begin, their bytes, and the bytes with the environment right behind them."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # The text behind the name begins with field 2 (counted from 0).
    start, end, env_start, env_end = (int(fields[place - 2]) for place in (_ARG_START, _ARG_END, _ENV_START, _ENV_END))
    if not start or end <= start:
        return None
    return start, end - start, (env_end if env_start == end and env_end > end else end) - start
