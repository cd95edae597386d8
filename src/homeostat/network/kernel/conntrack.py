"""Clears stale entries of the kernel's connection table with the program `conntrack`."""

from __future__ import annotations

import re

from homeostat.kit.log import logger
from homeostat.network.decide.node_plan import NodePlan
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.stale_connections import CONNECTIONLESS, Stale, stale, unknown
from homeostat.network.kernel.programs import ProgramError, run

_log = logger("conntrack")
# What the program says, with exit code 1, when nothing matched.
_NOTHING = "0 flow entries"
_FIELDS = re.compile(r"\b(src|dst|sport|dport)=(\S+)")


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
                await _clear(item, address)
        self._seen = True

    async def _leftovers(self, plan: NodePlan) -> list[Stale]:
        """What to clear when nothing is known of the rules before: one listing shows all."""
        try:
            listed = await run("conntrack", "-L", "-p", CONNECTIONLESS.lower())
        except ProgramError as error:
            _log.warning("%s", error)
            return []
        answering = answers(listed)
        found: list[Stale] = []
        for front in sorted(front for front in plan if front.protocol == CONNECTIONLESS):
            for address in self._addresses(front):
                found += unknown(front, plan[front], answering.get((address, front.port), ()))
        return found

    def _addresses(self, front: Front) -> tuple[str, ...]:
        return (front.address,) if front.address else self._node_addresses


def answers(listed: str) -> dict[tuple[str, int], set[str]]:
    """From what `conntrack -L` printed: who answers what was sent to an address and port."""
    found: dict[tuple[str, int], set[str]] = {}
    for line in listed.splitlines():
        # First the packet that began the entry, then the one that answers it.
        values = _FIELDS.findall(line)
        if len(values) == 8:
            (_, _), (_, asked), (_, _), (_, port), (_, answering), *_ = values
            found.setdefault((asked, int(port)), set()).add(answering)
    return found


async def _clear(item: Stale, address: str) -> None:
    where = ("-p", item.front.protocol.lower(), "--orig-dst", address, "--dport", str(item.front.port))
    try:
        await run("conntrack", "-D", *where, "--reply-src", item.backend or address)
    except ProgramError as error:
        if _NOTHING not in str(error):
            _log.warning("%s", error)
