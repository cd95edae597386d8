"""The decision of a group commit, and the bounds of prefixes: pure, so a table says it."""

from __future__ import annotations

import asyncio

import pytest

from homeostat.store.sqlite_group import Write, decide
from homeostat.store.sqlite_reader import prefix_end


def write(key: str, expected: int, value: bytes = b"", *, delete: bool = False) -> Write:
    loop = asyncio.new_event_loop()
    try:
        return Write(key, expected, value, delete, loop.create_future())
    finally:
        loop.close()


def test_writes_of_a_group_see_those_before_them() -> None:
    writes = [
        write("/a", 3),
        write("/a", 3),  # Lost to the one above.
        write("/b", 0),
        write("/b", 9, delete=True),  # What the one above has made, at the revision it got.
        write("/b", 0),
        write("/c", 0, delete=True),  # Nothing to delete.
        write("/a", 8),
    ]
    group = decide(writes, {"/a": 3, "/b": 0, "/c": 0}, head=7)
    assert [(event.key, event.revision, event.deleted) for event in group.events] == [
        ("/a", 8, False),
        ("/b", 9, False),
        ("/b", 10, True),
        ("/b", 11, False),
        ("/a", 12, False),
    ]
    assert group.previous == [3, 0, 9, 0, 8]
    assert group.current == {"/a": 12, "/b": 11}
    assert group.refused == [writes[1], writes[5]]
    assert group.accepted == [writes[n] for n in (0, 2, 3, 4, 6)]


def test_a_group_of_stale_writes_changes_nothing() -> None:
    group = decide([write("/a", 1), write("/b", 1)], {"/a": 2, "/b": 0}, head=5)
    assert (group.events, group.current, len(group.refused)) == ([], {}, 2)


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("/a/", "/a0"),
        ("/a", "/b"),
        ("/\ud7ff", "/\ue000"),
        ("/\U0010ffff", "0"),
        ("\U0010ffff\U0010ffff", b""),
        ("", b""),
    ],
)
def test_a_prefix_ends_before_the_next_text_that_does_not_start_with_it(prefix: str, end: str | bytes) -> None:
    assert prefix_end(prefix) == end
    if isinstance(end, str):
        assert prefix < prefix + "\U0010ffff" < end
