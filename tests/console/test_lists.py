"""A list as a page sees it: windows, searches, counts, sorting, positions that hold; against a model, at random too."""

from __future__ import annotations

import random
from typing import Any

import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.selecting import label_selectors
from homeostat.console.cache.entries import Entry, Keeper, Key
from homeostat.console.cache.places import Resource
from homeostat.console.live.list_view import HELD_MAX, ListView, Query
from homeostat.console.rows.layout import Layout

NOW = 1_800_000_000.0


def keeper() -> Keeper:
    catalogue = Catalogue.builtin()
    kind = catalogue.by_resource("", "v1", "pods")
    assert kind is not None
    return Keeper(Resource("", "v1", "pods"), Layout("", "pods", catalogue.resource(kind).printer))


class World:
    """Pods, and a view of them."""

    def __init__(self, query: Query | None = None) -> None:
        self.keeper = keeper()
        self.entries: dict[Key, Entry] = {}
        self.revision = 0
        self.view = ListView(self.keeper.layout, lambda: self.entries, query or Query())

    def put(self, name: str, *, phase: str = "Running", app: str = "web", created: int = 0, uid: str = "") -> None:
        self.revision += 1
        old = self.entries.get(("ns", name))
        when = f"2026-01-01T00:{created // 60:02}:{created % 60:02}Z"
        metadata = {"name": name, "namespace": "ns", "uid": uid or f"u-{name}", "labels": {"app": app},
                    "creationTimestamp": when, "resourceVersion": str(self.revision)}  # fmt: skip
        new = self.keeper.entry({"metadata": metadata, "status": {"phase": phase}}, NOW)
        self.entries[new.key] = new
        self.view.apply([(old, new)])

    def drop(self, name: str) -> None:
        old = self.entries.pop(("ns", name))
        self.view.apply([(old, None)])

    @property
    def shown(self) -> list[str]:
        """Names in their order; those gone in brackets."""
        found = [self.view.at(position) for position in range(len(self.view.order))]
        return [f"({each[0].key[1]})" if each[1] else each[0].key[1] for each in found if each is not None]


def test_positions_hold_until_a_merge() -> None:
    world = World()
    for name in ("b", "d"):
        world.put(name)
    world.view.arrange()
    world.put("a")
    world.put("c")
    world.drop("b")
    assert world.shown == ["(b)", "d"] and len(world.view.fresh) == 2
    world.drop("c")
    assert len(world.view.fresh) == 1
    world.view.arrange()
    assert world.shown == ["a", "d"] and not world.view.fresh


def test_a_row_that_no_longer_matches_keeps_its_place_and_a_merge_takes_it_out() -> None:
    world = World(Query(statuses=frozenset({"Pending"})))
    world.put("a", phase="Pending")
    world.put("b", phase="Pending")
    world.put("c", phase="Failed")
    world.view.arrange()
    world.put("a", phase="Failed")
    assert world.shown == ["a", "b"] and world.view.statuses == {"Failed": 2, "Pending": 1}
    world.drop("a")
    assert world.shown == ["(a)", "b"]
    world.view.arrange()
    assert world.shown == ["b"]


def test_search_labels_and_statuses_count_as_they_say() -> None:
    world = World()
    for number in range(10):
        world.put(f"web-{number}", app="web" if number % 2 else "db", phase="Failed" if number < 3 else "Pending")
    labels = label_selectors.parse("app=web")
    world.view.ask(Query(search="web-", labels=labels, statuses=frozenset({"Failed"})))
    assert world.shown == ["web-1"]
    assert world.view.statuses == {"Failed": 1, "Pending": 4} and world.view.total == 10
    world.view.ask(Query(search="ns/web-3"))
    assert world.shown == ["web-3"]


def test_a_list_sorted_by_age_takes_new_rows_where_they_belong() -> None:
    for descending in (False, True):
        world = World(Query(column="Age", descending=descending))
        for name, created in (("b", 20), ("d", 40)):
            world.put(name, created=created)
        world.view.arrange()
        world.put("c", created=30)
        world.put("e", created=50)
        world.put("a", created=10)
        assert world.shown == (["a", "b", "c", "d", "e"] if descending else ["e", "d", "c", "b", "a"])
        world.drop("c")
        assert "(c)" in world.shown and not world.view.fresh


def test_what_is_gone_from_a_list_sorted_by_age_does_not_pile_up() -> None:
    world = World(Query(column="Age"))
    for number in range(HELD_MAX * 3):
        world.put(f"p-{number}", created=number)
        world.drop(f"p-{number}")
    assert len(world.view.order) <= HELD_MAX + 1


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_a_merge_shows_what_is_there(seed: int) -> None:
    """After each change the counts are those of a fresh view, every position shows something, and each object that
    matches is either in the list or counted as fresh."""
    draw = random.Random(seed)
    queries = [
        Query(),
        Query(statuses=frozenset({"Pending", "Failed"})),
        Query(search="1"),
        Query(column="Status", descending=True),
        Query(column="Age"),
        Query(column="Age", descending=True, statuses=frozenset({"Running"})),
        Query(column="Restarts"),
        Query(labels=label_selectors.parse("app!=web")),
        Query(column="Namespace"),
        Query(column="no such column"),
    ]
    world = World(draw.choice(queries))
    names = [f"p-{number}" for number in range(15)]
    for _ in range(150):
        name = draw.choice(names)
        if draw.random() < 0.35 and ("ns", name) in world.entries:
            world.drop(name)
        else:
            world.put(name, phase=draw.choice(["Running", "Pending", "Failed"]), app=draw.choice(["web", "db"]),
                      created=draw.randrange(3000), uid=f"u-{name}-{draw.randrange(3)}")  # fmt: skip
        if draw.random() < 0.05:
            world.view.arrange()
        if draw.random() < 0.05:
            world.view.ask(draw.choice(queries))
        _agrees(world)
    world.view.arrange()
    fresh = ListView(world.keeper.layout, lambda: world.entries, world.view.query)
    assert world.view.order == fresh.order and not world.view.fresh


def _agrees(world: World) -> None:
    view = world.view
    model = ListView(world.keeper.layout, lambda: world.entries, view.query)
    assert view.statuses == model.statuses
    assert len(set(view.order)) == len(view.order)
    assert set(model.order) <= set(view.order) | view.fresh
    assert not set(view.order) & view.fresh
    assert view.fresh <= set(model.order)
    shown: list[Any] = [view.at(position) for position in range(len(view.order))]
    assert None not in shown
    for key, (entry, gone) in zip(view.order, shown, strict=True):
        assert gone == (key not in world.entries)
        assert gone or entry is world.entries[key]
    assert view.at(len(view.order)) is None
