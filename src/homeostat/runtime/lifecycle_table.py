"""A lifecycle as a table: states and events are data, an illegal move raises and changes nothing.

`Table.diagram()` renders the table for the documents, so what is drawn is what runs. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class IllegalMove(Exception):
    """An event that the table does not know in this state: a mistake of the caller."""


class Table(Generic[S, E]):
    """The moves of one lifecycle: `(state, event) -> next state`. `start` is where every subject begins."""

    def __init__(self, name: str, start: S, moves: Mapping[tuple[S, E], S]) -> None:
        self.name = name
        self.start = start
        self.moves = dict(moves)

    def move(self, state: S, event: E) -> S:
        """The next state. Raises IllegalMove."""
        try:
            return self.moves[state, event]
        except KeyError:
            raise IllegalMove(f"{self.name}: no move for {event.value!r} in state {state.value!r}") from None

    def allows(self, state: S, event: E) -> bool:
        """Whether the table has this move."""
        return (state, event) in self.moves

    def diagram(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start.value}"]
        lines += [f"    {state.value} --> {after.value}: {event.value}" for (state, event), after in self.moves.items()]
        sources = {state for state, _ in self.moves}
        ends = sorted({after.value for after in self.moves.values() if after not in sources})
        return "\n".join([*lines, *(f"    {end} --> [*]" for end in ends)]) + "\n"
