"""Fills an empty etcd cluster with given entries, at given revisions: what a restore does.

The entries are committed as any others; then one key says what is to be added to etcd's revisions (`keys`), and with it
all of them are where they are to be. So a restore that was interrupted is known: there are entries and no such key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice

from homeostat.store.contract import Entry, Unavailable
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.keys import ROOT, Layout
from homeostat.store.etcd.members import PATIENT_CALL_SECONDS_MAX, TlsFiles, connected
from homeostat.store.etcd.store import START_SECONDS_MAX, EtcdStore

_TXN = "/etcdserverpb.KV/Txn"
_RANGE = "/etcdserverpb.KV/Range"
_TOGETHER = 64


async def seed(
    endpoints: Sequence[str], base: int, entries: Iterable[Entry], *, tls: TlsFiles | None = None, root: bytes = ROOT
) -> int:
    """Fill an empty cluster with `entries` at revisions above `base`; returns the newest. Nobody else may use it yet.

    All before counts as compacted. Raises Unavailable when it is not empty or does not answer.
    """
    if await has_any(endpoints, tls=tls, root=root):
        raise Unavailable(f"etcd at {endpoints[0]} is not empty: a restore needs new members, with no data")
    store = EtcdStore(endpoints, tls=tls, root=root, call_seconds=PATIENT_CALL_SECONDS_MAX)
    await store.start()
    try:
        rest = iter(entries)
        while some := list(islice(rest, _TOGETHER)):
            await asyncio.gather(*(store.commit(entry.key, 0, entry.value) for entry in some))
    finally:
        await store.close()
    layout = Layout(root)
    async with connected(endpoints, tls, call_seconds=PATIENT_CALL_SECONDS_MAX) as members:
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=layout.base_key, value=str(base).encode()))
        await members.read(_TXN, rpc.TxnRequest(success=[put]), rpc.TxnResponse)
        found = await members.read(_RANGE, layout.newest(), rpc.RangeResponse)
    return base + (found.kvs[0].mod_revision if found.kvs else 0)


async def has_any(endpoints: Sequence[str], *, tls: TlsFiles | None = None, root: bytes = ROOT) -> bool:
    """Whether the cluster holds anything of ours: entries, or the note of a restore. Raises Unavailable."""
    request = rpc.RangeRequest(key=root, range_end=root + b"\xff", count_only=True)
    async with connected(endpoints, tls) as members:
        found = await members.read(_RANGE, request, rpc.RangeResponse, seconds=START_SECONDS_MAX)
    return bool(found.count)


async def base_of(endpoints: Sequence[str], *, tls: TlsFiles | None = None, root: bytes = ROOT) -> int | None:
    """The base that the last restore gave; None when there was none, or it has not come to its end."""
    async with connected(endpoints, tls) as members:
        request = rpc.RangeRequest(key=Layout(root).base_key)
        found = await members.read(_RANGE, request, rpc.RangeResponse, seconds=START_SECONDS_MAX)
    return int(found.kvs[0].value) if found.kvs else None


async def clear(endpoints: Sequence[str], *, tls: TlsFiles | None = None, root: bytes = ROOT) -> None:
    """Delete all our keys, such as those of an interrupted restore. Raises Unavailable."""
    delete = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=root, range_end=root + b"\xff"))
    async with connected(endpoints, tls) as members:
        await members.read(_TXN, rpc.TxnRequest(success=[delete]), rpc.TxnResponse)
