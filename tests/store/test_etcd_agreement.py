"""A member whose data differ from the others' is found by a vote, and not used any more.

etcd itself looks for such a member before it starts only where members that start together then wait for one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from homeostat.cluster.etcd_member import tuning
from homeostat.kit import clock
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.agreement import Digest, differing, outvoted
from homeostat.store.etcd.keys import Commit, Layout
from homeostat.store.etcd.members import Members, connected
from homeostat.store.etcd.store import EtcdStore
from tests.support.etcd import EtcdCluster

A, B, C = Digest(5, 1), Digest(5, 2), Digest(5, 3)


@pytest.mark.parametrize(
    ("digests", "members", "found"),
    [
        ({0: A, 1: A, 2: A}, 3, set()),
        ({0: B, 1: A, 2: A}, 3, {0}),
        ({0: A, 1: A, 2: B}, 3, {2}),
        ({0: A, 1: A, 2: A, 3: B, 4: C}, 5, {3, 4}),
        # Nobody has a majority: who is right?
        ({0: A, 1: B}, 3, set()),
        ({0: A, 1: B, 2: C}, 3, set()),
        ({0: A}, 3, set()),
        ({}, 3, set()),
        # Compacted further than the others: its hash is of less, and says nothing.
        ({0: Digest(9, 7), 1: A, 2: A}, 3, set()),
    ],
)
def test_a_member_is_outvoted_by_more_than_half_of_all(
    digests: dict[int, Digest], members: int, found: set[int]
) -> None:
    assert outvoted(digests, members) == found


def test_a_suspended_member_is_skipped_until_it_is_used_again() -> None:
    members = Members(["a:1", "b:1", "c:1"])
    members.suspend(frozenset({0}))
    assert members.preferred == 1
    members.pass_over(1)
    assert members.preferred == 2
    members.pass_over(2)
    assert members.preferred == 1
    members.suspend(frozenset())
    members.pass_over(1)
    members.pass_over(2)
    assert members.preferred == 0


def test_members_that_start_together_do_not_wait_for_one_another() -> None:
    """Each would wait 5.7 s for the answers of the others, which answer nobody before they have those of all."""
    assert not [flag for flag in tuning() if "corrupt-check" in flag]


@pytest.fixture
def three() -> Iterator[list[EtcdCluster]]:
    """Three members that know nothing of each other: their data are what a test makes them."""
    clusters = [EtcdCluster(1) for _ in range(3)]
    try:
        yield clusters
    finally:
        for cluster in clusters:
            cluster.close()


@pytest.mark.real
def test_the_member_that_has_other_data_is_not_asked(three: list[EtcdCluster]) -> None:
    endpoints = [cluster.endpoints[0] for cluster in three]

    async def story() -> None:
        for endpoint, value in zip(endpoints, (b"changed", b"right", b"right"), strict=True):
            # What the store's commits look like; those of the same handle are the same on every member.
            commit = Layout().commit(Commit("/registry/x", 0, value, False, b"0" * 16), b"fence", 0)
            async with connected([endpoint]) as alone:
                # A member that has just started takes a write before it has a leader, and answers it late.
                await alone.read("/etcdserverpb.KV/Range", Layout().newest(), rpc.RangeResponse, seconds=20)
                deadline = clock.monotonic() + 20
                assert (await alone.write("/etcdserverpb.KV/Txn", commit, rpc.TxnResponse, deadline=deadline)).succeeded
        store = EtcdStore(endpoints)
        await store.start()
        try:
            async with asyncio.timeout(20):
                while (found := await store.get("/registry/x")) is None or found.value != b"right":
                    await clock.sleep(0.01)
        finally:
            await store.close()
        async with connected(endpoints) as members:
            assert await differing(members) == {0}

    asyncio.run(story())
