"""The programs that change the kernel's network rules: run one, and read its output."""

from __future__ import annotations

import asyncio
import shutil

_SECONDS_MAX = 30.0


class ProgramError(Exception):
    """A program is missing, ended with an error, or did not end."""


def present(program: str) -> bool:
    """Whether a program is there."""
    return shutil.which(program) is not None


async def run(*argv: str, text: str = "", seconds: float = _SECONDS_MAX) -> str:
    """What the program printed; `text` is its input. Raises ProgramError."""
    # A program that reads nothing may have ended before an empty input could be written to it.
    feed = asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=feed, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise ProgramError(f"{argv[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(seconds):
            said, complained = await process.communicate(text.encode() or None)
    except TimeoutError as error:
        raise ProgramError(f"{argv[0]} did not end within {seconds:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ProgramError(f"{argv[0]} ended with {process.returncode}: {complained.decode(errors='replace').strip()}")
    return said.decode(errors="replace")
