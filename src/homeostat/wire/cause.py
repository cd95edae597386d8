"""The cause of a write: the loop that acted, its key, and the revisions it reacted to.

It travels in one request header and is stored beside the object's JSON, so that `homeostat why` can follow the chain
from any object back to what began it.
"""

from __future__ import annotations

import msgspec

HEADER = "homeostat-cause"


class Seen(msgspec.Struct, frozen=True):
    """An object at a revision that the loop read before it decided."""

    kind: str
    namespace: str
    name: str
    revision: int


class WriteCause(msgspec.Struct, frozen=True, omit_defaults=True):
    """`loop` is the component and loop (`controller-manager/replicaset`, `kubelet/worker-1`, `user/bob`); `key`
    what it worked on (`namespace/name`); `note` says what it saw in a few words; `seen` the newest objects it
    reacted to, the most relevant first; `instance` which of several that take turns in leading (its lease's holder).
    `user` is who wrote: the API server fills it in, whatever a client says."""

    loop: str
    key: str = ""
    note: str = ""
    seen: tuple[Seen, ...] = ()
    instance: str = ""
    user: str = ""

    def by(self, instance: str) -> WriteCause:
        """The same cause of a write that `instance` made."""
        return WriteCause(self.loop, self.key, self.note, self.seen, instance)

    def encode(self) -> bytes:
        """JSON in one line, as it is in the header and in the store."""
        return _encoder.encode(self)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(WriteCause)


def decode(text: bytes | str) -> WriteCause | None:
    """The cause that a header or a stored value holds; None when it is absent or not one."""
    try:
        return _decoder.decode(text) if text else None
    except msgspec.MsgspecError:
        return None
