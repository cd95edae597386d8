"""Clears stale entries of the kernel's connection table with the program `conntrack`."""

from __future__ import annotations

import re

from homeostat.kit.log import logger
from homeostat.network.plan import Front
from homeostat.network.plan_conntrack import CONNECTIONLESS, Stale, stale, unknown
from homeostat.network.plan_node import NodePlan
from homeostat.network.programs import ProgramError, run

_log = logger("conntrack")
# What the program says, with exit code 1, when nothing matched.
_NOTHING = "0 flow entries"
_SOURCES = re.compile(r"src=(\S+)")


class Connections:
    """The table of this network namespace, as far as Services use it."""

    def __init__(self, node_addresses: tuple[str, ...]) -> None:
        self._node_addresses = node_addresses
        self._seen = False

    async def follow(self, old: NodePlan, new: NodePlan) -> None:
        """Delete what is stale now that the rules have gone from `old` to `new`; for the first time, whatever an
        earlier run has left. What cannot be deleted is logged: the rules are right all the same."""
        items = stale(old, new) if self._seen else await self._leftovers(new)
        for item in items:
            for address in self._addresses(item.front):
                await _run("-D", item.front, address, "--reply-src", item.backend or address)
        self._seen = True

    async def _leftovers(self, plan: NodePlan) -> list[Stale]:
        found: list[Stale] = []
        for front in sorted(front for front in plan if front.protocol == CONNECTIONLESS):
            for address in self._addresses(front):
                listed = await _run("-L", front, address)
                # Each line has the source of what was sent, then the source of the answers.
                answering = {_SOURCES.findall(line)[1] for line in listed.splitlines() if line.count("src=") == 2}
                found += unknown(front, plan[front], answering)
        return found

    def _addresses(self, front: Front) -> tuple[str, ...]:
        return (front.address,) if front.address else self._node_addresses


async def _run(verb: str, front: Front, address: str, *more: str) -> str:
    where = ("-p", front.protocol.lower(), "--orig-dst", address, "--dport", str(front.port))
    try:
        return await run("conntrack", verb, *where, *more)
    except ProgramError as error:
        if _NOTHING not in str(error):
            _log.warning("%s", error)
        return ""
