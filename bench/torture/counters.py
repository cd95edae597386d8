"""Counters: objects whose value is only ever written by a compare-and-swap that adds one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bench.torture.history import History, Outcome
from bench.torture.registers import Versions

COUNTER = "counter"


def counted(count: int, writer: str) -> str:
    """A counter's value: the count, and who wrote it, so that each value is written once."""
    return f"{count} by {writer}"


def count_of(value: str) -> int:
    """The count in a value."""
    return int(value.split(" ")[0])


def faults(history: History, versions: Versions) -> Iterable[str]:
    """What is wrong: a count that was skipped or given twice, and a last count that the increments do not add up to."""
    for key, found in versions.items():
        if key[1] != COUNTER:
            continue
        counts = [count_of(found[revision]) for revision in sorted(found)]
        if counts != list(range(len(counts))):
            yield f"{'/'.join(key)} counted {counts}"
        increments = [each.outcome for each in history.operations if each.key == key and each.kind == "cas"]
        done, unknown = increments.count(Outcome.DONE), increments.count(Outcome.UNKNOWN)
        if counts and not done <= counts[-1] <= done + unknown:
            yield f"{'/'.join(key)} is {counts[-1]} after {done} acknowledged and {unknown} unclear increments"
