"""What clients did and saw, as data: requests with their times and outcomes, and the events of watches.

Times are monotonic seconds of this process. Revisions are resourceVersions as numbers: the store has one order for all
objects (Kubernetes: API concepts, "Resource versions").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

Key = tuple[str, str]
"""Namespace and name."""


class Outcome(Enum):
    """What a client knows of its request: it took effect; it did not; nobody can say (no answer, or a 5xx)."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request for one object.

    `kind` is read, write, cas, create or delete. `value` is what was written (each value is written once in a run) or
    read (None: 404). `revision` is the one in the answer, 0 without one; `expected` is a cas's precondition.
    """

    client: str
    kind: str
    key: Key
    invoked: float
    returned: float = math.inf
    outcome: Outcome = Outcome.UNKNOWN
    value: str | None = None
    revision: int = 0
    expected: int = 0
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of a namespace: the revision that it is true at, and each object's revision and value."""

    client: str
    namespace: str
    invoked: float
    returned: float
    revision: int
    items: dict[Key, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch. `side` is the label that selectors ask for."""

    revision: int
    type: str
    key: Key
    value: str
    side: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What a watch asked for; an empty field asks for everything."""

    namespace: str = ""
    name: str = ""
    side: str = ""

    def has(self, key: Key, side: str) -> bool:
        """Whether an object with that label belongs to it."""
        return self.namespace in ("", key[0]) and self.name in ("", key[1]) and self.side in ("", side)


@dataclass(slots=True)
class Stream:
    """One connection of a watch: what it asked for, the revision it began after, what came, and the last revision that
    it is known to have passed (by an event or a bookmark)."""

    watcher: str
    selection: Selection
    after: int
    changes: list[Change] = field(default_factory=list)
    passed: int = 0


@dataclass(slots=True)
class History:
    """Everything of one run."""

    operations: list[Operation] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
