"""How the store's contract is laid out in etcd's keys: pure, and the only place that knows it.

Under one root (`/homeostat/`), so that a commit is one transaction and a watch of one range sees all of it:

    base          what is added to etcd's revisions to make ours (below)
    fence/HANDLE  raised when the outcome of writes is unknown: what was sent before can no longer happen (`fence`)
    log           put by every commit: who made it, and the final value that a deletion was given
    object/KEY    the live entries

A deletion's watchers get a final value that was never the entry's: `log` has it at the deletion's own revision, for as
long as etcd remembers that revision at all, and there is only ever one live `log`. Since it is put by every commit,
its own revision is the newest commit's: one small read answers `Store.revision`, whatever else is written to etcd.

Revisions: etcd numbers an empty store 1, the contract 0. `base` says what to add, -1 where nothing is written. A
restored cluster has a large one, so that its numbers go on above those that clients of the lost one have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeostat.store.contract import Entry, Event
from homeostat.store.etcd import rpc_pb2 as rpc

ROOT = b"/homeostat/"
_TOKEN_BYTES = 16
# No UTF-8 text has this byte: `key + _END` is above every key that starts with `key`.
_END = b"\xff"
_DELETE = rpc.Event.EventType.DELETE


@dataclass(frozen=True, slots=True)
class Commit:
    """One write as `Store.commit` was given it, with the mark that distinguishes it from all others."""

    key: str
    expected: int
    value: bytes
    delete: bool
    token: bytes


class Layout:
    """The keys under one root, and requests and answers in them. `base` is added to etcd's revisions."""

    def __init__(self, root: bytes = ROOT) -> None:
        self.base = -1
        self.base_key = root + b"base"
        self.fence_prefix = root + b"fence/"
        self.log_key = root + b"log"
        self._entries = root + b"object"

    def theirs(self, revision: int) -> int:
        """etcd's number of our revision; never below 1, the empty store's."""
        return max(revision - self.base, 1)

    def ours(self, revision: int) -> int:
        """Our number of etcd's revision."""
        return revision + self.base

    def key(self, key: str) -> bytes:
        """An entry's key. Raises UnicodeEncodeError for what is no text."""
        return self._entries + key.encode()

    def entry(self, found: rpc.KeyValue) -> Entry:
        """The contract's form of a live entry."""
        return Entry(found.key[len(self._entries) :].decode(), found.value, self.ours(found.mod_revision))

    def get(self, key: str) -> rpc.RangeRequest:
        """Ask for one entry."""
        return rpc.RangeRequest(key=self.key(key))

    def newest(self) -> rpc.RangeRequest:
        """Ask for the newest commit's revision."""
        return rpc.RangeRequest(key=self.log_key, keys_only=True)

    def page(self, prefix: str, after: str, *, revision: int, limit: int) -> rpc.RangeRequest:
        """Ask for the entries under `prefix` above `after`; `revision` is etcd's (0: now)."""
        low = self.key(prefix)
        if after:
            low = max(low, self.key(after) + b"\0")
        return rpc.RangeRequest(key=low, range_end=self.key(prefix) + _END, revision=revision, limit=limit)

    def commit(self, commit: Commit, fence: bytes, epoch: int) -> rpc.TxnRequest:
        """The transaction of one commit: compare and swap, unless the fence has been raised above `epoch`."""
        key = self.key(commit.key)
        if commit.delete:
            change = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key))
        else:
            change = rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=commit.value))
        final = commit.value if commit.delete else b""
        expected = self.theirs(commit.expected) if commit.expected else 0
        return rpc.TxnRequest(
            compare=[
                rpc.Compare(target=rpc.Compare.Target.MOD, key=key, mod_revision=expected),
                rpc.Compare(target=rpc.Compare.Target.VERSION, key=fence, version=epoch),
            ],
            success=[
                rpc.RequestOp(request_put=rpc.PutRequest(key=self.log_key, value=commit.token + final)),
                change,
            ],
            failure=[
                rpc.RequestOp(request_range=rpc.RangeRequest(key=key)),
                rpc.RequestOp(request_range=rpc.RangeRequest(key=fence)),
            ],
        )

    def watch(self, after: int) -> rpc.WatchCreateRequest:
        """Follow all commits. It begins with `after` itself, not with the next: so etcd says that it has forgotten
        when `after` is older than what it keeps, not only when the revision after it is."""
        return rpc.WatchCreateRequest(
            key=self.log_key, range_end=self._entries + _END, start_revision=self.theirs(after)
        )

    def watch_log(self, start: int) -> rpc.WatchCreateRequest:
        """Follow the fences and the marks of all commits from etcd's revision `start`."""
        return rpc.WatchCreateRequest(key=self.fence_prefix, range_end=self.log_key + b"\0", start_revision=start)

    def events(self, found: Sequence[rpc.Event]) -> list[Event]:
        """The commits of one answer of `watch`, which never parts what one transaction did."""
        finals = {
            event.kv.mod_revision: event.kv.value[_TOKEN_BYTES:] for event in found if event.kv.key == self.log_key
        }
        events: list[Event] = []
        skip = len(self._entries)
        for event in found:
            kv = event.kv
            if kv.key.startswith(self._entries):
                deleted = event.type == _DELETE
                value = finals.get(kv.mod_revision, b"") if deleted else kv.value
                events.append(Event(kv.key[skip:].decode(), value, self.ours(kv.mod_revision), deleted))
        return events

    @staticmethod
    def token(log_value: bytes) -> bytes:
        """Whose commit put this value of `log`."""
        return log_value[:_TOKEN_BYTES]
