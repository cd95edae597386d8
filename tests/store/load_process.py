"""A process that writes to a SQLite store until it is killed; the tests of several processes start it.

Usage: `python load_process.py FILE NAME [fatal-notice | stop-inside]`. Each of its writers owns a key and commits to it
over and over, and says so on standard output, one line an acknowledged commit: key, revision, digest of the value.
`fatal-notice` makes one commit and dies between it and notifying its peers; `stop-inside` stops inside a transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import threading

from homeostat.store import sqlite_group
from homeostat.store.sqlite import SqliteStore
from homeostat.store.sqlite_peers import Peers

_WRITERS = 8


def sealed(text: str, size: int) -> bytes:
    """A value that shows whether it is whole: the digest of the rest comes first."""
    rest = (text * (size // len(text) + 1)).encode()
    return hashlib.sha256(rest).hexdigest().encode() + rest


def seal(value: bytes) -> str:
    """The digest of a whole value. Raises AssertionError on a torn one."""
    digest = value[:64].decode()
    assert hashlib.sha256(value[64:]).hexdigest() == digest, "torn value"
    return digest


async def write(store: SqliteStore, name: str, number: int) -> None:
    """Create, then update, now and then delete and start over."""
    key, revision, count = f"/load/{name}/{number}", 0, 0
    while True:
        count += 1
        value = sealed(f"{key} {count} ", 50 + (count * 977 + number * 131) % 9_000)
        delete = count % 7 == 0
        at = await store.commit(key, revision, value, delete=delete)
        os.write(1, f"{key} {at} {seal(value)}\n".encode())
        revision = 0 if delete else at


async def main(path: str, name: str, *how: str) -> None:
    """See the module."""
    if how == ("fatal-notice",):
        Peers.notify = lambda self: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    store = SqliteStore(path)
    await store.start()
    if how == ("stop-inside",):
        perform = sqlite_group.perform

        def stop(*arguments: object) -> None:
            perform(*arguments)  # type: ignore[arg-type]
            os.write(1, b"stopping\n")
            os.kill(os.getpid(), signal.SIGSTOP)
            # The signal stops another thread first; until it stops this one, this one goes no further.
            threading.Event().wait()

        sqlite_group.perform = stop  # type: ignore[assignment]
    await asyncio.gather(*[write(store, name, number) for number in range(_WRITERS)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
