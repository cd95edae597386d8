"""The node plan made true by nftables: one atomic `nft -f -` transaction for each change, in full or as a difference.

After a restart the first transaction takes over the table that is there: packets see the old rules or the new ones,
never none, and sets of affinity keep their clients. When a transaction is refused, another program has changed the
table: the next one replaces it as a whole, which is as atomic.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import orjson

from homeostat.kit.log import logger
from homeostat.network.decide.nft_base import Found, Ranges, begin, leftovers
from homeostat.network.decide.nft_rules import TABLE, Chain, Clients, Item, difference, items
from homeostat.network.decide.node_plan import Entry, NodePlan
from homeostat.network.decide.service_ports import Front
from homeostat.network.kernel.programs import ProgramError, run

_log = logger("nft")


class NftRules:
    """The service rules of the node called `node`, whose network namespace this process is in."""

    def __init__(self, node: str, ranges: Ranges) -> None:
        self._node = node
        self._ranges = ranges
        self._plan: dict[Front, Entry] = {}
        self._items: dict[Front, list[Item]] = {}
        self._count: Counter[Item] = Counter()
        self._begun = False
        self._replace = False

    async def apply(self, plan: NodePlan) -> None:
        """Make `plan` the rules from now on; idempotent. Raises ProgramError: then the old rules stay, and the next
        call writes all of them again."""
        gone, new = self._step(plan)
        if not self._begun:
            text = await self._in_full()
        elif gone or new:
            text = difference(gone, new)
        else:
            return
        try:
            await run("nft", "-f", "-", text="\n".join(text) + "\n")
        except ProgramError:
            self._replace, self._begun = True, False
            raise
        self._replace, self._begun = False, True

    async def close(self) -> None:
        """Nothing: rules outlive this process, so that connections work while it restarts."""

    async def remove(self) -> None:
        """Take the table away. Raises ProgramError."""
        self._begun = False
        await run("nft", "-f", "-", text=f"add table ip {TABLE}\ndelete table ip {TABLE}\n")

    def _step(self, plan: NodePlan) -> tuple[list[Item], list[Item]]:
        """Remember `plan`; the items that nothing needs any more, and those that nothing needed before."""
        dropped: list[Item] = []
        for front in [front for front in self._plan if plan.get(front) != self._plan[front]]:
            dropped += self._items[front]
            self._count.subtract(self._items.pop(front))
            del self._plan[front]
        there = set(dropped)
        new: list[Item] = []
        for front, entry in plan.items():
            if front in self._plan:
                continue
            found = items(front, entry, self._node)
            new += [item for item in found if not self._count[item] and item not in there]
            self._plan[front], self._items[front] = entry, found
            self._count.update(found)
        gone = [item for item in dict.fromkeys(dropped) if not self._count[item]]
        for item in gone:
            del self._count[item]
        return gone, list(dict.fromkeys(new))

    async def _in_full(self) -> list[str]:
        wanted = list(self._count)
        if self._replace:
            return [f"add table ip {TABLE}", f"delete table ip {TABLE}", *begin(self._ranges), *difference((), wanted)]
        found = await _found()
        chains, sets = _names(wanted, Chain), _names(wanted, Clients)
        first, last = leftovers(found, chains, sets)
        return [*begin(self._ranges), *first, *difference((), wanted), *last]


def _names(wanted: Iterable[Item], kind: type[Chain] | type[Clients]) -> set[str]:
    return {item.name for item in wanted if isinstance(item, kind)}


async def _found() -> Found:
    """What an earlier run has left. To list names only costs little, however many elements there are."""
    chains, sets = await asyncio.gather(_listed("chain"), _listed("set"))
    return Found(chains, sets)


async def _listed(noun: str) -> frozenset[str]:
    try:
        listed = orjson.loads(await run("nft", "-j", "-t", "list", f"{noun}s", "ip"))["nftables"]
    except ProgramError as error:
        _log.info("%s", error)
        return frozenset()
    entries = (entry[noun] for entry in listed if noun in entry)
    return frozenset(entry["name"] for entry in entries if entry["table"] == TABLE)
