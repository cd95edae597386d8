"""Where a pod's amounts fit, and how full each node would be with it: kept per needs, row by row. Pure.

Pods of one template come one after the other, and each placement changes one row. So what was compared for one of them
holds for the next, but for the rows that were touched since (`Snapshot.touched`).
"""

from __future__ import annotations

import numpy as np

from homeostat.scheduler.podinfo import Needs
from homeostat.scheduler.snapshot import CPU, MEMORY, PODS, Mask, Room, Snapshot

# From so many touched rows on, all are compared again.
_ROWS_MAX = 16
_ALL = slice(None)
_FULL_SCORE = 100.0


def room_for(snapshot: Snapshot, needs: Needs, allowed: Mask) -> Room:
    """The room for pods of these needs as of now, on the rows that nodes alone allow. Not to be changed."""
    known, now = snapshot.rooms.get(needs), len(snapshot.touched)
    if known is None:
        known = Room(np.zeros(snapshot.size, dtype=np.bool_), np.zeros(snapshot.size), now)
        snapshot.keep_room(needs, known)
        _compare(snapshot, needs, allowed, known, _ALL)
    elif now - known.seen > _ROWS_MAX:
        _compare(snapshot, needs, allowed, known, _ALL)
    else:
        for row in set(snapshot.touched[known.seen :]):
            _compare(snapshot, needs, allowed, known, slice(row, row + 1))
    known.seen = now
    return known


def _compare(snapshot: Snapshot, needs: Needs, allowed: Mask, room: Room, rows: slice) -> None:
    allocatable, requested = snapshot.columns_of(PODS)
    fits = requested[rows] < allocatable[rows]
    fits &= allowed[rows]
    for resource, amount in needs.requests.items():
        allocatable, requested = snapshot.columns_of(resource)
        fits &= requested[rows] + amount <= allocatable[rows]
    room.fits[rows] = fits
    # LeastAllocated plus BalancedAllocation of cpu and memory. With the used shares c and m the first is
    # 100 - 50(c + m), the second 100 - 50|c - m|: together 200 - 100 max(c, m), of which only differences count.
    divisors = snapshot.divisors
    used = (snapshot.nonzero_cpu[rows] + needs.nonzero_cpu) / divisors[CPU][rows]
    memory = (snapshot.nonzero_memory[rows] + needs.nonzero_memory) / divisors[MEMORY][rows]
    np.maximum(used, memory, out=used)
    np.minimum(used, 1.0, out=used)
    used *= -_FULL_SCORE
    room.balance[rows] = used
