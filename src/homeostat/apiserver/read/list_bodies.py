"""The bodies of lists of the newest state: clients that ask for the same one before the next write share its bytes.

When an API server has died, all its clients list again at another one, at the same moment: each list is then put
together once, and there is one copy of it however many connections it is on its way over.
"""

from __future__ import annotations

from typing import TypeAlias

# What distinguishes one list of a state from another: the resource, the selection, the page.
Key: TypeAlias = tuple[str | int, ...]

_ENTRY_BYTES = 200


class LastLists:
    """Bodies of one revision, at most `bytes_max` of them; those of an older one are dropped when a newer one is
    added."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._revision = 0
        self._bodies: dict[Key, bytes] = {}

    def get(self, revision: int, key: Key) -> bytes | None:
        """The list as of `revision`; None when it is not kept."""
        return self._bodies.get(key) if revision == self._revision else None

    def keep(self, revision: int, key: Key, body: bytes) -> None:
        """Keep a list as of `revision`, unless newer ones are kept or it does not fit."""
        if revision < self._revision:
            return
        if revision > self._revision:
            self._bodies.clear()
            self._bytes, self._revision = 0, revision
        # A long selector that finds nothing takes more than its list.
        size = len(body) + sum(len(part) for part in key if isinstance(part, str)) + _ENTRY_BYTES
        if self._bytes + size <= self._bytes_max:
            self._bytes += size
            self._bodies[key] = body
