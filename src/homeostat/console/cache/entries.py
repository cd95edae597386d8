"""One object as it is kept: its row, what selects it, and its JSON in few bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.console.cache.places import Resource
from homeostat.console.rows.layout import Cell, Layout, TableLayout
from homeostat.console.rows.status_words import status_of
from homeostat.console.rows.trimmed import Packing, trim
from homeostat.console.rows.writers import Writer, newest_writer

# Namespace and name.
Key: TypeAlias = tuple[str, str]
_NO_LABELS: Mapping[str, str] = {}


class Entry:
    """One version of one object. `revision` is its resourceVersion as a number, 0 when it is none."""

    __slots__ = (
        "cells", "created", "key", "labels", "packed", "relative", "revision", "status", "tone", "uid", "version",
        "writer",
    )  # fmt: skip

    def __init__(self, key: Key, uid: str, version: str) -> None:
        self.key = key
        self.uid = uid
        self.version = version
        self.revision = int(version) if version.isdecimal() else 0
        self.created = 0.0
        self.status = self.tone = ""
        self.cells: tuple[Cell, ...] = ()
        self.relative = False
        self.labels: Mapping[str, str] = _NO_LABELS
        self.packed = b""
        # Where it is kept: who wrote this version.
        self.writer: Writer | None = None


class Keeper:
    """Makes the entries of one resource. Texts and labels that many objects have are kept once. With `writers` it is
    kept who wrote each version."""

    def __init__(self, resource: Resource, layout: Layout, *, writers: bool = False) -> None:
        self.layout = layout
        self._writers = writers
        self._resource = resource
        self._packing = Packing()
        self._labels: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._texts: dict[str, str] = {}

    def entry(self, obj: Obj, now: float, given: Sequence[Cell] | None = None) -> Entry:
        """The entry of an object, which is changed; `given` are the cells of an API server's Table."""
        metadata = meta.metadata(obj)
        key = (self._once(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
        entry = Entry(key, metadata.get("uid") or "", metadata.get("resourceVersion") or "")
        group, plural = self._resource.group, self._resource.plural
        status, tone = status_of(group, plural, obj)
        entry.status, entry.tone = self._once(status), tone
        entry.created = meta.created_at(obj)
        if given is not None and isinstance(self.layout, TableLayout):
            cells = self.layout.given(given, obj, status)
        else:
            cells = self.layout.cells(obj, status, now)
        entry.cells = tuple(self._once(cell) if isinstance(cell, str) and len(cell) < 64 else cell for cell in cells)
        entry.relative = self.layout.is_relative(cells, status)
        if labels := metadata.get("labels"):
            entry.labels = self._labels.setdefault(tuple(labels.items()), labels)
        if self._writers:
            entry.writer = newest_writer(obj)
        entry.packed = self._packing.pack(trim(group, plural, obj))
        return entry

    def cells(self, entry: Entry, now: float) -> tuple[Cell, ...]:
        """The cells as they are now."""
        if not entry.relative:
            return entry.cells
        return self.layout.cells(self._packing.unpack(entry.packed), entry.status, now)

    def json(self, entry: Entry) -> bytes:
        """The object's JSON."""
        return self._packing.json(entry.packed)

    def object(self, entry: Entry) -> Obj:
        """The object."""
        return self._packing.unpack(entry.packed)

    def forget_unused(self, entries: Mapping[Key, Entry]) -> None:
        """Let go of texts and labels that no object has any more, when they are many."""
        if len(self._texts) + len(self._labels) > 4_096 + 16 * len(entries):
            self._texts.clear()
            self._labels.clear()

    def _once(self, text: str) -> str:
        return self._texts.setdefault(text, text)
