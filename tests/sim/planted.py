"""Mistakes to put into an API server on purpose: each breaks one promise that clients rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from homeostat.api.rules.disruption import Counts
from homeostat.api.types import Obj
from homeostat.apiserver.cache.hub import Hub
from homeostat.apiserver.cache.selection import Seen, Selection
from homeostat.apiserver.cache.window import Change
from homeostat.apiserver.read.watching import Watches
from homeostat.apiserver.subresources import eviction
from homeostat.apiserver.write import object_metadata
from homeostat.apiserver.write.writing import Writes

Plant = Callable[[pytest.MonkeyPatch], None]


def uid_preconditions_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "uid")


def resource_version_of_deletes_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    _without(monkeypatch, "resourceVersion")


def _without(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    check = object_metadata.check_preconditions

    def careless(obj: Obj, preconditions: Obj) -> str:
        return check(obj, {name: value for name, value in preconditions.items() if name != field})

    monkeypatch.setattr(object_metadata, "check_preconditions", careless)


def resource_version_of_updates_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client read does not matter: its object replaces whatever is there by now."""
    change = Writes.change

    async def careless(self: Writes, write: Any, make: Callable[[Obj], Obj], **options: Any) -> bytes:
        def anyhow(old: Obj) -> Obj:
            new = make(old)
            return {**new, "metadata": {**new["metadata"], "resourceVersion": ""}}

        return await change(self, write, anyhow, **options)

    monkeypatch.setattr(Writes, "change", careless)


def no_budget_check(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use_budget(*_: Any, **__: Any) -> None:
        return

    monkeypatch.setattr(eviction, "_use_budget", use_budget)


def budget_never_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disruption is written down, but never refused."""
    count = eviction.counts

    class Generous(Counts):
        allowed = property(lambda self: 1)

    def generous(*what: Any) -> Counts:
        found = count(*what)
        return Generous(found.expected, found.healthy, found.desired)

    monkeypatch.setattr(eviction, "counts", generous)


def namespace_forgotten_on_resuming(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that resumes gets the changes of all namespaces, where it selects by nothing but its namespace."""
    catch_up = Watches._catch_up

    def careless(self: Watches, plan: Any, hub: Hub) -> None:
        see = Selection.see

        def everything(selection: Selection, change: Change, plain: bytes = b"") -> Seen | None:
            if not selection.only_namespace:
                return see(selection, change, plain)
            return Seen(change.type, change.item, change.line())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Selection, "see", everything)
            catch_up(self, plan, hub)

    monkeypatch.setattr(Watches, "_catch_up", careless)


# Each with what the simulation says of it, one of these at least.
PLANTS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "UID preconditions ignored": (uid_preconditions_ignored, ("names the UID of a former",)),
    "resourceVersions of updates ignored": (resource_version_of_updates_ignored, ("the counter", " is led by ")),
    "resourceVersions of deletes ignored": (resource_version_of_deletes_ignored, ("names a former resourceVersion",)),
    "no budget check": (no_budget_check, ("is evicted without the budget",)),
    "a budget that is never exhausted": (budget_never_exhausted, ("healthy pods are left",)),
    "the namespace forgotten on resuming": (namespace_forgotten_on_resuming, ("a watch of",)),
}
