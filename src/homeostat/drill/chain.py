"""Chains of causes: from one recorded write back to its causes, and on to its consequences. Pure.

Every entry of the journal names the revisions its loop reacted to; revisions are global and unique, so they link writes
across objects and loops.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Link:
    """One write in a chain. `depth` is negative for causes, 0 for the write asked about, positive for consequences."""

    entry: Obj
    depth: int


def chain(entries: Sequence[Obj], revision: int, *, links_max: int = 30) -> list[Link]:
    """The causes and consequences of the write with this revision, oldest first; empty when it is not recorded."""
    by_revision = {int(entry["revision"]): entry for entry in entries}
    if revision not in by_revision:
        return []
    causes = {number: seen_revisions(entry) for number, entry in by_revision.items()}
    back = _reached(revision, causes, links_max)
    on = _reached(revision, _consequences(entries), links_max - len(back) + 1)
    found = {number: -depth for number, depth in back.items() if number in by_revision} | on
    return [Link(by_revision[number], found[number]) for number in sorted(found)]


def seen_revisions(entry: Obj) -> list[int]:
    """The revisions that the entry's loop reacted to."""
    return [int(seen["revision"]) for seen in (entry.get("cause") or {}).get("seen") or []]


def _consequences(entries: Iterable[Obj]) -> dict[int, list[int]]:
    reacting: dict[int, list[int]] = {}
    for entry in entries:
        for number in seen_revisions(entry):
            reacting.setdefault(number, []).append(int(entry["revision"]))
    return reacting


def _reached(start: int, arrows: Mapping[int, list[int]], links_max: int) -> dict[int, int]:
    """What can be reached from `start` along the arrows, breadth first, with its distance; at most `links_max`."""
    found = {start: 0}
    frontier, distance = [start], 1
    while frontier and len(found) < links_max:
        nearby = dict.fromkeys(number for each in frontier for number in arrows.get(each, []))
        frontier = [number for number in nearby if number not in found][: max(0, links_max - len(found))]
        found.update(dict.fromkeys(frontier, distance))
        distance += 1
    return found


def lines(links: Sequence[Link], *, since: float | None = None, width: int | None = None) -> list[str]:
    """The chain as text; times count from the first link, or from `since` (seconds). `width` as with `line`."""
    timed = [link.entry["time"] for link in links if link.entry.get("time")]
    zero = since if since is not None else (timed[0] if timed else 0.0)
    found: list[str] = []
    for link in links:
        found += line(link.entry, zero, marker="=>" if link.depth == 0 else "  ", width=width)
    return found


def line(entry: Obj, zero: float, *, marker: str = "  ", width: int | None = None) -> list[str]:
    """One write: when, what changed, and which loop did it because of what. In one line, or with `width` in as many as
    it takes for none to be wider."""
    when = f"{entry['time'] - zero:+9.3f} s" if entry.get("time") else "   earlier "
    place = f"{entry['namespace']}/{entry['name']}" if entry["namespace"] else entry["name"]
    what = f"{entry['kind']} {place} {entry['verb'].lower()}"
    if entry.get("summary"):
        what += f" ({entry['summary']})"
    cause = entry.get("cause") or {}
    who = cause.get("loop") or "unknown"
    if instance := cause.get("instance"):
        # The holder of a lease is its host and a UUID.
        who += f" on {instance.rpartition('_')[0] or instance}"
    user = entry.get("user") or ""
    # A component's name says who it is: only what is not its own user is worth the room.
    if user.removeprefix("system:node:").removeprefix("system:kube-") not in who:
        who += f" as {user}"
    note = f": {cause['note']}" if cause.get("note") else ""
    head, because = f"{marker} {when}  ", _printable(f"<- {who}{note}")
    what = _printable(what)
    if width is None or len(head) + len(what) + len(because) + 2 <= width:
        return [f"{head}{what}  {because}"]
    # The cause begins a line of its own, so that it is found at a glance.
    indent = " " * len(head)
    wrapped = [textwrap.wrap(text, max(20, width - len(head)), subsequent_indent="  ") for text in (what, because)]
    first, *others = [each for part in wrapped for each in part]
    return [head + first, *(indent + other for other in others)]


def _printable(text: str) -> str:
    """The text with what is no character to print (of names and notes that clients chose) escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
