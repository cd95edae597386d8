"""Whether etcd's members hold the same data: each hashes what it has up to one revision.

A member whose disk has changed something continues as if nothing were wrong, and answers whoever asks it. etcd can look
for that before it starts (`--experimental-initial-corrupt-check`, kubeadm's default), but then members that start
together wait for one another until a request times out: 5.7 s without a quorum. So the handles look: one that finds a
member outvoted stops using it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import grpc.aio
from google.protobuf.unknown_fields import UnknownFieldSet

from homeostat.store.contract import StoreError
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.members import Members

_HASH = "/etcdserverpb.Maintenance/HashKV"
# Of its answer, beside the header.
_HASH_FIELD, _COMPACTED_FIELD = 2, 3
# A member reads its whole database for the answer.
_SECONDS_MAX = 10.0


class _Said:
    """A member's answer: etcd's `HashKVResponse`, a header and two numbers."""

    def __init__(self, data: bytes) -> None:
        # All that any answer has in common is its header; the numbers are what this message does not know of.
        known = rpc.CompactionResponse.FromString(data)
        fields = UnknownFieldSet(known)
        numbers = {fields[n].field_number: int(fields[n].data) for n in range(len(fields))}
        self.revision = known.header.revision
        self.digest = Digest(numbers.get(_COMPACTED_FIELD, 0), numbers.get(_HASH_FIELD, 0))

    @staticmethod
    def FromString(data: bytes) -> _Said:
        """As a message decodes itself."""
        return _Said(data)


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash of all that a member has between two revisions: the one that it is compacted to, and the one asked for."""

    compacted: int
    hash: int


def outvoted(digests: Mapping[int, Digest], members: int) -> set[int]:
    """The members whose data differ from those that more than half of all `members` have. Pure.

    Hashes say nothing about each other where members are compacted to different revisions.
    """
    for digest, votes in Counter(digests.values()).items():
        if votes > members // 2:
            same = {member: other for member, other in digests.items() if other.compacted == digest.compacted}
            return {member for member, other in same.items() if other != digest}
    return set()


async def differing(members: Members) -> set[int]:
    """The members (positions among the endpoints) that are outvoted now; those that do not answer have no say."""
    own = await _hash(members, members.preferred, 0)
    if own is None:
        return set()
    all_members = range(len(members.endpoints))
    found = await asyncio.gather(*(_hash(members, member, own.revision) for member in all_members))
    return outvoted({member: said.digest for member, said in enumerate(found) if said is not None}, len(all_members))


async def _hash(members: Members, member: int, revision: int) -> _Said | None:
    """A member's hash up to `revision` (0: its newest); None without an answer, or when it has not come so far."""
    # A request for a hash is, as one to compact is, a revision.
    request = rpc.CompactionRequest(revision=revision)
    try:
        return await members.once(member, _HASH, request, _Said, seconds=_SECONDS_MAX)
    except (grpc.aio.AioRpcError, StoreError):
        return None
