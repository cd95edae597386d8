"""The rows of a list that are on a page's screen, and the counts of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homeostat.api.types import Obj
from homeostat.console.cache.feed import Change, Feed
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User
from homeostat.console.live.asked import ListAsked, changed
from homeostat.console.live.list_view import ListView, Shown
from homeostat.console.live.subscription import FeedSubscription
from homeostat.console.rows.layout import Cell
from homeostat.kit import clock


class ListSubscription(FeedSubscription):
    """See the module."""

    def __init__(self, number: int, wake: Callable[[], None], pool: Pool, user: User, asked: ListAsked) -> None:
        super().__init__(number, wake, pool, user, asked.place)
        self._asked = asked
        self._view: ListView | None = None
        self._reset = True
        self._merges = False
        # What the page has on its screen, by position.
        self._sent: dict[int, tuple[Shown, tuple[Cell, ...]]] = {}

    def changed(self, changes: Sequence[Change]) -> None:
        """See `Listener`."""
        if self._view is not None:
            self._view.apply(changes)
        self.touch()

    def change(self, said: Obj) -> None:
        """The page asks for other rows. Raises ApiError 400."""
        # The rows are arranged when they are sent: once, however much is asked meanwhile.
        self._asked = changed(self._asked, said)
        self.touch()

    def merge(self) -> None:
        """Put all rows where they belong now."""
        self._merges = True
        self.touch()

    def refresh(self) -> None:
        """See `Subscription`."""
        if any(shown[0].relative for shown, _ in self._sent.values()):
            self.touch()

    def said(self) -> Obj | None:
        """See `Subscription`."""
        feed = self._feed
        if feed is None or feed.state == "loading":
            return None
        view = self._view
        if view is None:
            # Not before: the columns of a Table are known with its first rows.
            view = self._view = ListView(feed.keeper.layout, lambda: feed.entries, self._asked.query)
        elif view.ask(self._asked.query):
            self._reset = True
        elif self._merges:
            view.arrange()
            self._reset = True
        self._merges = False
        reset, self._reset = self._reset, False
        if reset:
            self._sent.clear()
        message: Obj = {"type": "list", "id": self.number}
        if reset:
            message |= {"reset": True, "columns": feed.keeper.layout.described}
        return message | {
            "total": view.total,
            "matched": len(view.order),
            "fresh": len(view.fresh),
            "statuses": view.statuses,
            "first": self._asked.first,
            "rows": self._rows(feed, view),
            **self.standing(feed),
        }

    def _rows(self, feed: Feed, view: ListView) -> dict[str, Obj | None]:
        """The rows of the window that are not as the page has them; None for one that is no more."""
        now, sent, rows = clock.wall(), self._sent, dict[str, Obj | None]()
        window = range(self._asked.first, self._asked.first + self._asked.count)
        for position in [each for each in sent if each not in window]:
            del sent[position]
        for position in window:
            shown = view.at(position)
            if shown is None:
                if sent.pop(position, None) is not None:
                    rows[str(position)] = None
                    continue
                if position >= len(view.order):
                    break
                continue
            before = sent.get(position)
            if before is not None and before[0] == shown and not shown[0].relative:
                continue
            cells = feed.keeper.cells(shown[0], now)
            if before is None or before[0] != shown or before[1] != cells:
                sent[position] = (shown, cells)
                rows[str(position)] = _row(shown, cells)
        for position in [each for each in sent if each >= len(view.order)]:
            del sent[position]
            rows[str(position)] = None
        return rows


def _row(shown: Shown, cells: tuple[Cell, ...]) -> Obj:
    entry, gone = shown
    return {
        "uid": entry.uid,
        "name": entry.key[1],
        "namespace": entry.key[0],
        "cells": cells,
        "status": entry.status,
        "tone": entry.tone,
        "revision": entry.version,
        "created": entry.created,
        "gone": gone,
    }
