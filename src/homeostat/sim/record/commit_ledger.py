"""Every commit to the store, at the moment it happens: the objects as they are, the transcript's lines, and when the
last write was that changes anything.

It sees what a watcher of the store sees, but each commit before anybody can react to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.kit import clock
from homeostat.sim.record.commit_lines import describe
from homeostat.sim.record.transcript import Level, Transcript
from homeostat.store.contract import Batch, Event
from homeostat.store.feed import Feed
from homeostat.store.memory import MemoryState
from homeostat.wire import cause

_QUIET_KINDS = ("Event", "Lease")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: the object after it (None: deleted) and before it (None: created), and who wrote it."""

    revision: int
    kind: str
    key: str
    old: Obj | None
    new: Obj | None
    by: str
    note: str

    @property
    def obj(self) -> Obj:
        """The newest form there is."""
        found = self.new if self.new is not None else self.old
        assert found is not None
        return found


class Ledger(Feed):
    """Hangs on the store's state, which may hold objects already. `objects` maps a kind's name to its objects, these by
    `namespace/name`; each of `checks` is called with every commit.
    """

    def __init__(self, state: MemoryState, transcript: Transcript) -> None:
        super().__init__(state.history)
        self.objects: dict[str, dict[str, Obj]] = {}
        self.changed_at = 0.0
        self.commits = 0
        self.last = ""
        self.checks: list[Callable[[Commit], None]] = []
        self._transcript = transcript
        for entry in state.live.values():
            self._commit(Event(entry.key, entry.value, entry.revision, deleted=False))
        state.feeds.append(self)

    def publish(self, events: Batch) -> None:
        """See the module."""
        super().publish(events)
        for event in events:
            self.commits += 1
            self._transcript.stir(event.value)
            commit = self._commit(event)
            quiet = commit.kind in _QUIET_KINDS or _is_heartbeat(commit)
            if not quiet:
                self.changed_at = clock.monotonic()
                self.last = f"{commit.kind} {commit.key} by {commit.by}"
            text = f"r{commit.revision} {describe(commit.kind, commit.key, commit.old, commit.new)}"
            by = f" <- {commit.by}" + (f": {commit.note}" if commit.note else "")
            self._transcript.say("write", text + by, Level.NOISE if quiet else Level.WRITE)
            for check in self.checks:
                check(commit)

    def all(self, kind: str, namespace: str = "") -> list[Obj]:
        """The objects of a kind by name, ordered by namespace and name."""
        found = self.objects.get(kind, {})
        return [found[key] for key in sorted(found) if not namespace or meta.namespace(found[key]) == namespace]

    def get(self, kind: str, key: str) -> Obj | None:
        """One object, by `namespace/name`."""
        return self.objects.get(kind, {}).get(key)

    def _commit(self, event: Event) -> Commit:
        obj = stored_form.decode(stored_form.stamp_stored(event.value, event.revision))
        kind, key = str(obj["kind"]), meta.key(obj)
        known = self.objects.setdefault(kind, {})
        old = known.get(key)
        why = cause.decode(stored_form.cause_of(event.value))
        by, note = (why.loop, why.note) if why is not None else ("", "")
        if event.deleted:
            known.pop(key, None)
        else:
            known[key] = obj
        return Commit(event.revision, kind, key, old, None if event.deleted else obj, by, note)


def _is_heartbeat(commit: Commit) -> bool:
    """A node's regular report that changes nothing but its times."""
    if commit.kind != "Node" or commit.old is None or commit.new is None:
        return False
    return _timeless(commit.old) == _timeless(commit.new)


def _timeless(node: Obj) -> Obj:
    status = dict(node.get("status") or {})
    status["conditions"] = [
        {name: value for name, value in condition.items() if name != "lastHeartbeatTime"}
        for condition in status.get("conditions") or []
    ]
    labels, annotations = meta.labels(node), meta.annotations(node)
    return {"labels": labels, "annotations": annotations, "spec": node.get("spec"), "status": status}
