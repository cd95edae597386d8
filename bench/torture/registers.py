"""Whether the requests of a history are linearizable in the order of their revisions.

A history of single objects is linearizable when there is one order of the operations that agrees with real time and in
which each read sees the latest write (Herlihy and Wing, 1990). In general that order must be searched for; here the
server names it: every answer carries the revision of its write. So it is checked, not searched:

- a revision belongs to one value, and a value to one revision: no write is applied twice;
- what returned before another operation began has a lower revision than that one's write, and none higher than what
  that one's read saw: nothing is stale, nothing is reordered;
- a write that was refused is seen nowhere;
- between a compare-and-swap and the revision that it expected there is no other write of its object: no lost update.

A write of unknown outcome has the revision under which its value was seen, or never happened. Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from bench.torture.history import History, Key, Operation, Outcome

Versions = Mapping[Key, Mapping[int, str]]
"""By object and revision, the value that it had from then on."""
_WRITES = ("write", "cas", "create")


def faults(history: History, versions: Versions) -> list[str]:
    """Everything wrong, in words; empty for a linearizable history. `versions` is what anybody saw of the objects."""
    known = _revisions(history, versions)
    return [
        *_doubled(known),
        *_refused_but_seen(history, known),
        *_against_time(history, known),
        *_lost_updates(history, known),
        *_listings(history, known),
        *_missing(history),
    ]


def _revisions(history: History, versions: Versions) -> dict[Key, dict[int, str]]:
    """All versions: those seen by watches, and those in answers."""
    known: dict[Key, dict[int, str]] = defaultdict(dict)
    for key, found in versions.items():
        known[key].update(found)
    for operation in history.operations:
        if operation.revision and operation.value is not None:
            known[operation.key].setdefault(operation.revision, operation.value)
    for listing in history.listings:
        for key, (revision, value) in listing.items.items():
            known[key].setdefault(revision, value)
    return known


def _doubled(known: Mapping[Key, Mapping[int, str]]) -> Iterable[str]:
    for key, found in known.items():
        at: dict[str, int] = {}
        for revision, value in sorted(found.items()):
            if value in at:
                yield f"{_name(key)}: {value!r} was written once and has revisions {at[value]} and {revision}"
            at.setdefault(value, revision)


def _refused_but_seen(history: History, known: Mapping[Key, Mapping[int, str]]) -> Iterable[str]:
    for operation in history.operations:
        if operation.outcome is Outcome.REFUSED and operation.kind in _WRITES:
            seen = [r for r, value in known.get(operation.key, {}).items() if value == operation.value]
            if seen:
                yield f"{_described(operation)} was refused ({operation.answer}) and is seen at revision {seen[0]}"


def _against_time(history: History, known: Mapping[Key, Mapping[int, str]]) -> Iterable[str]:
    """Walk in the order of time; what has returned is a lower bound for what begins."""
    moments: list[tuple[float, int, Operation]] = []
    for operation in history.operations:
        if operation.outcome is Outcome.DONE and (operation.revision or operation.kind == "read"):
            moments += [(operation.invoked, 1, operation), (operation.returned, 0, operation)]
    moments.sort(key=lambda moment: moment[:2])
    floor: dict[Key, int] = defaultdict(int)
    deleted: dict[Key, bool] = {}
    deletable = {each.key for each in history.operations if each.kind == "delete"}
    newest = 0
    bounds: dict[int, tuple[int, int, bool]] = {}
    for _, begins, operation in moments:
        if begins:
            bounds[id(operation)] = (floor[operation.key], newest, operation.key in deleted)
            continue
        low, anywhere, gone = bounds[id(operation)]
        if operation.kind == "read" and operation.value is None:
            # Objects of registers are deleted by nobody but by a delete of this history.
            if low and operation.key not in deletable:
                yield f"{_described(operation)} found nothing, though revision {low} had been seen before it began"
            continue
        if operation.kind == "read" and operation.revision < low:
            yield f"{_described(operation)} is stale: revision {low} had been seen before it began"
        if operation.kind in _WRITES and operation.revision <= anywhere:
            yield f"{_described(operation)} is behind revision {anywhere}, which had been answered before it began"
        if operation.kind in _WRITES and gone and operation.kind != "create":
            yield f"{_described(operation)} wrote to what had been deleted before it began"
        floor[operation.key] = max(floor[operation.key], operation.revision)
        newest = max(newest, operation.revision)
        if operation.kind == "delete":
            deleted[operation.key] = True
        elif operation.kind == "create":
            deleted.pop(operation.key, None)


def _lost_updates(history: History, known: Mapping[Key, Mapping[int, str]]) -> Iterable[str]:
    ordered = {key: sorted(found) for key, found in known.items()}
    for operation in history.operations:
        if operation.kind != "cas" or operation.outcome is not Outcome.DONE:
            continue
        previous = _latest(ordered.get(operation.key, []), operation.revision - 1)
        if previous > operation.expected:
            yield f"{_described(operation)} expected {operation.expected} and overwrote revision {previous}"


def _listings(history: History, known: Mapping[Key, Mapping[int, str]]) -> Iterable[str]:
    """A list is true at its revision: of each object it has the version that was current then."""
    ordered = {key: sorted(found) for key, found in known.items()}
    answered = sorted((each.returned, each.revision) for each in history.operations if each.revision)
    times = [returned for returned, _ in answered]
    newest = list(accumulate((revision for _, revision in answered), max, initial=0))
    for listing in history.listings:
        before = newest[bisect_left(times, listing.invoked)]
        if listing.revision < before:
            yield f"a list of {listing.namespace} is stale: at {listing.revision}, after {before} had been answered"
        for key, (revision, _) in listing.items.items():
            current = _latest(ordered.get(key, []), listing.revision)
            if current > revision:
                yield f"a list at {listing.revision} has {_name(key)} at {revision}, not at {current}"


def _latest(revisions: Sequence[int], until: int) -> int:
    """The last revision up to `until`; 0 without one."""
    at = bisect_right(revisions, until)
    return revisions[at - 1] if at else 0


def _missing(history: History) -> Iterable[str]:
    """A create that was answered is there in every later list, unless a delete began before that list returned."""
    last: dict[str, float] = {}
    final = {}
    for listing in history.listings:
        if listing.returned >= last.get(listing.namespace, 0.0):
            last[listing.namespace], final[listing.namespace] = listing.returned, listing
    deletes = {each.key for each in history.operations if each.kind == "delete"}
    for operation in history.operations:
        listing_ = final.get(operation.key[0])
        if operation.kind != "create" or operation.outcome is not Outcome.DONE or listing_ is None:
            continue
        there = operation.key in deletes or operation.key in listing_.items
        if operation.returned < listing_.invoked and not there:
            yield f"{_described(operation)} was acknowledged and is not in the last list"
    for operation in history.operations:
        listing_ = final.get(operation.key[0])
        if operation.kind != "delete" or operation.outcome is not Outcome.DONE or listing_ is None:
            continue
        if operation.returned < listing_.invoked and operation.key in listing_.items:
            yield f"{_described(operation)} was acknowledged and its object is in the last list"


def _name(key: Key) -> str:
    return "/".join(key)


def _described(operation: Operation) -> str:
    value = f" {operation.value!r}" if operation.value is not None else ""
    at = f" at revision {operation.revision}" if operation.revision else ""
    return f"{operation.client}'s {operation.kind} of {_name(operation.key)}{value}{at}"
