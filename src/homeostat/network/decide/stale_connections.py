"""Which entries of the kernel's connection table are stale after the rules have changed. Pure.

A datagram follows the entry that its first one made, for as long as others follow. So entries go that lead to a backend
which has left, and those from a time when the Service had no backend at all, or no rule. TCP connections to a Pod that
is gone end by themselves; kube-proxy leaves them too (pkg/proxy/conntrack).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from homeostat.network.decide.node_plan import Entry, NodePlan
from homeostat.network.decide.service_ports import Front

CONNECTIONLESS = "UDP"


@dataclass(frozen=True, slots=True, order=True)
class Stale:
    """Entries of one front whose answers come from `backend`, an address; empty: from the front's own address, which
    means that their destination was not translated."""

    front: Front
    backend: str = ""


def stale(old: NodePlan, new: NodePlan) -> list[Stale]:
    """What to clear after the rules have gone from `old` to `new`; in order."""
    found: set[Stale] = set()
    for front in {*old, *new}:
        if front.protocol == CONNECTIONLESS and old.get(front) != new.get(front):
            found.update(_of(front, old.get(front), new.get(front)))
    return sorted(found)


def unknown(front: Front, entry: Entry, answering: Iterable[str]) -> list[Stale]:
    """What to clear of a front when the table says that these addresses answer its clients."""
    known = {backend.address for backend in entry.backends}
    return [Stale(front, address) for address in sorted(set(answering) - known)]


def _of(front: Front, old: Entry | None, new: Entry | None) -> Iterator[Stale]:
    before = {backend.address for backend in old.backends} if old else set()
    after = {backend.address for backend in new.backends} if new else set()
    for address in before - after:
        yield Stale(front, address)
    if after and not before:
        yield Stale(front)
