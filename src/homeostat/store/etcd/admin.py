"""The members of an etcd cluster: list member health; add, move, remove and replace members; defragment; disarm
alarms."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import grpc.aio

from homeostat.kit import clock
from homeostat.store.contract import StoreError, Unavailable
from homeostat.store.etcd import rpc_pb2 as rpc
from homeostat.store.etcd.failures import Unknown, explain
from homeostat.store.etcd.members import Answer, Members, Message, TlsFiles, connected

_CLUSTER = "/etcdserverpb.Cluster/"
_MAINTENANCE = "/etcdserverpb.Maintenance/"
_STATUS_SECONDS_MAX = 1.0
# Members change only while the others have been connected for five seconds (etcd's HealthInterval).
_CHANGE_SECONDS_MAX = 15.0
# A defragmentation rewrites the whole database.
_DEFRAGMENT_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Member:
    """One member. `name` is empty until it has started for the first time; `trouble` is empty when it is healthy.

    The rest is its own word, 0 when it gives none: sizes of its database in bytes (`used` after a defragmentation),
    and how far it has applied the log.
    """

    id: int
    name: str
    peer_urls: tuple[str, ...]
    endpoints: tuple[str, ...]
    leader: bool = False
    version: str = ""
    size_bytes: int = 0
    used_bytes: int = 0
    raft_index: int = 0
    raft_term: int = 0
    trouble: str = ""


async def members_of(endpoints: Sequence[str], tls: TlsFiles | None = None) -> list[Member]:
    """All members by name, each asked itself how it does. Raises Unavailable when none of `endpoints` answers."""
    async with connected(endpoints, tls) as members:
        listed = await members.read(_CLUSTER + "MemberList", rpc.MemberListRequest(), rpc.MemberListResponse)
        request = rpc.AlarmRequest(action=rpc.AlarmRequest.AlarmAction.GET)
        try:
            said = await members.read(_MAINTENANCE + "Alarm", request, rpc.AlarmResponse)
        except Unavailable:
            said = rpc.AlarmResponse()  # Without a quorum nobody knows.
    alarms = {alarm.memberID: rpc.AlarmType.Name(alarm.alarm) for alarm in said.alarms}
    found = await asyncio.gather(*(_status(member, alarms.get(member.ID, ""), tls) for member in listed.members))
    return sorted(found, key=lambda member: member.name)


async def _status(member: rpc.Member, alarm: str, tls: TlsFiles | None) -> Member:
    endpoints = tuple(url.rsplit("//", 1)[-1] for url in member.clientURLs)
    known = Member(member.ID, member.name, tuple(member.peerURLs), endpoints)
    if not endpoints:
        return dataclasses.replace(known, trouble="it has never started")
    async with connected(endpoints, tls) as members:
        try:
            said = await members.once(
                0, _MAINTENANCE + "Status", rpc.StatusRequest(), rpc.StatusResponse, seconds=_STATUS_SECONDS_MAX
            )
        except grpc.aio.AioRpcError as error:
            return dataclasses.replace(known, trouble=explain(error))
        except StoreError as error:
            return dataclasses.replace(known, trouble=str(error))
    trouble = f"alarm {alarm}" if alarm else "; ".join(said.errors)
    if not trouble and not said.leader:
        trouble = "it knows no leader"
    return dataclasses.replace(
        known,
        leader=said.leader == member.ID,
        version=said.version,
        size_bytes=said.dbSize,
        used_bytes=said.dbSizeInUse,
        raft_index=said.raftIndex,
        raft_term=said.raftTerm,
        trouble=trouble,
    )


async def add(endpoints: Sequence[str], peer_url: str, tls: TlsFiles | None = None) -> int:
    """Let a member join that will answer its peers at `peer_url`; returns its ID. Raises Unavailable."""
    request = rpc.MemberAddRequest(peerURLs=[peer_url])
    async with connected(endpoints, tls) as members:
        answer = await _change(members, "MemberAdd", request, rpc.MemberAddResponse)
    return int(answer.member.ID)


async def remove(endpoints: Sequence[str], member: int, tls: TlsFiles | None = None) -> None:
    """Take a member out by its ID; it ends, and its data are of no use any more. Raises Unavailable."""
    async with connected(endpoints, tls) as members:
        await _change(members, "MemberRemove", rpc.MemberRemoveRequest(ID=member), rpc.MemberRemoveResponse)


async def move(endpoints: Sequence[str], member: int, peer_url: str, tls: TlsFiles | None = None) -> None:
    """Announce a member's new peer URL to the others. Raises Unavailable."""
    request = rpc.MemberUpdateRequest(ID=member, peerURLs=[peer_url])
    async with connected(endpoints, tls) as members:
        await _change(members, "MemberUpdate", request, rpc.MemberUpdateResponse)


async def _change(members: Members, method: str, request: Message, answer: type[Answer]) -> Answer:
    deadline = clock.monotonic() + _CHANGE_SECONDS_MAX
    try:
        return await members.write(_CLUSTER + method, request, answer, deadline=deadline)
    except Unknown as error:
        raise Unavailable(f"etcd's members may or may not have changed ({error}): look, and try again") from error


async def replace(endpoints: Sequence[str], name: str, peer_url: str, tls: TlsFiles | None = None) -> int:
    """Put a new member in the place of `name`, whose data are lost; returns the new one's ID.

    `endpoints` are those of the others. Safe to repeat: one that was added and has not started yet stays. It then has
    to be started with an empty data folder and `--initial-cluster-state=existing`. Raises Unavailable, also when the
    member is healthy: then there is nothing to replace.
    """
    present = await members_of(endpoints, tls)
    for member in present:
        if peer_url in member.peer_urls and not member.name:
            return member.id
        if member.name == name or peer_url in member.peer_urls:
            if not member.trouble:
                raise Unavailable(f"etcd member {name} is healthy: stop it first if it is to be replaced")
            healthy = sum(not other.trouble for other in present)
            if healthy <= len(present) // 2:
                text = f"{healthy} of {len(present)} etcd members are healthy: without a quorum none can be replaced; "
                raise Unavailable(text + "start others first, or `homeostat restore` a backup")
            await remove(endpoints, member.id, tls)
    return await add(endpoints, peer_url, tls)


async def defragment(endpoint: str, tls: TlsFiles | None = None) -> None:
    """Return the space of compacted revisions to the disk; the member does not answer meanwhile. Raises Unavailable."""
    async with connected([endpoint], tls) as members:
        try:
            await members.once(
                0,
                _MAINTENANCE + "Defragment",
                rpc.DefragmentRequest(),
                rpc.DefragmentResponse,
                seconds=_DEFRAGMENT_SECONDS_MAX,
            )
        except grpc.aio.AioRpcError as error:
            raise Unavailable(f"etcd at {endpoint}: {explain(error)}") from error


async def disarm(endpoints: Sequence[str], tls: TlsFiles | None = None) -> None:
    """Take all alarms back: writes are accepted again, as long as there is room. Raises Unavailable."""
    async with connected(endpoints, tls) as members:
        get = rpc.AlarmRequest(action=rpc.AlarmRequest.AlarmAction.GET)
        said = await members.read(_MAINTENANCE + "Alarm", get, rpc.AlarmResponse)
        for alarm in said.alarms:
            off = rpc.AlarmRequest(
                action=rpc.AlarmRequest.AlarmAction.DEACTIVATE, memberID=alarm.memberID, alarm=alarm.alarm
            )
            await members.read(_MAINTENANCE + "Alarm", off, rpc.AlarmResponse)
