"""The node plan made true by iptables, where nft is missing: `iptables-restore --noflush`, atomic for each table.

All rules are written at each change; that takes longer than with nftables, and the more so the more Services there are.
"""

from __future__ import annotations

from homeostat.network.decide.iptables_rules import JUMPS, ours, render
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.node_plan import NodePlan
from homeostat.network.kernel.programs import ProgramError, run

_WAIT = ("-w", "5")  # seconds to wait for another program that holds the lock


class IptablesRules:
    """The service rules of a node whose network namespace this process is in."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._plan: NodePlan | None = None
        self._present: dict[str, set[str]] = {}

    async def apply(self, plan: NodePlan) -> None:
        """Make `plan` the rules from now on; idempotent. Raises ProgramError."""
        if self._plan == plan:
            return
        if self._plan is None:
            self._present = await _present()
        self._plan = None
        chains = render(plan, self._ranges)
        await restore(chains.text(self._present))
        self._present = {"nat": set(chains.nat), "filter": set(chains.filter)}
        for table, chain, target, matches in JUMPS:
            await jump(table, chain, (*matches, "-j", target))
        self._plan = dict(plan)


async def remove() -> None:
    """Take away all that this way of serving rules has left. Raises ProgramError."""
    present = await _present()
    if not present:
        return
    for table, chain, target, matches in JUMPS:
        while await _is_there(table, chain, rule := (*matches, "-j", target)):
            await run("iptables", *_WAIT, "-t", table, "-D", chain, *rule)
    text = ""
    for table, chains in present.items():
        lines = [f":{name} - [0:0]" for name in sorted(chains)] + [f"-X {name}" for name in sorted(chains)]
        text += "\n".join([f"*{table}", *lines, "COMMIT"]) + "\n"
    await restore(text)


async def restore(text: str) -> None:
    """Write what this input of iptables-restore says, and leave the rest. Raises ProgramError."""
    await run("iptables-restore", *_WAIT, "--noflush", text=text)


async def _present() -> dict[str, set[str]]:
    saved = [await run("iptables-save", "-t", table) for table in ("nat", "filter")]
    return ours("\n".join(saved).splitlines())


async def jump(table: str, chain: str, rule: tuple[str, ...]) -> None:
    """Make sure that a chain has a rule; a missing one is inserted first. Raises ProgramError."""
    if not await _is_there(table, chain, rule):
        await run("iptables", *_WAIT, "-t", table, "-I", chain, *rule)


async def _is_there(table: str, chain: str, rule: tuple[str, ...]) -> bool:
    try:
        await run("iptables", *_WAIT, "-t", table, "-C", chain, *rule)
    except ProgramError:
        return False
    return True
