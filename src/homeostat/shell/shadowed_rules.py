"""When an ACCEPT that was appended can never match: an earlier DROP or REJECT takes every packet of it. Pure.

Rules are in the form that `iptables -S` prints. Jumps into other chains are not followed.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_TAKE = ("DROP", "REJECT")
_NETS = ("-s", "-d")
_LONG = {"--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--protocol": "-p", "--jump": "-j",
         "--in-interface": "-i", "--out-interface": "-o", "--match": "-m", "--destination-port": "--dport",
         "--source-port": "--sport", "--append": "-A", "--goto": "-g", "--proto": "-p"}  # fmt: skip
# A module is implied by its options, and an option of the target says nothing about what matches.
_SAY_NOTHING = ("-m", "-t", "-w", "-c", "--reject-with")


class Rule(NamedTuple):
    """One rule: its chain, what it matches (option, negated or not, value), its target, and its own words."""

    chain: str
    matches: frozenset[tuple[str, bool, str]]
    target: str
    words: tuple[str, ...]


def read(line: str) -> Rule | None:
    """A line of `iptables -S`, or what was typed; None when it appends nothing."""
    words = [_LONG.get(word, word) for word in shlex.split(line)]
    chain, target, negated, place = "", "", False, 0
    matches: set[tuple[str, bool, str]] = set()
    while place < len(words):
        word, values = words[place], _values(words, place)
        place += 1 + len(values)
        if word == "!":
            negated = True
            continue
        value = " ".join(values)
        if word == "-A":
            chain = value
        elif word in ("-j", "-g"):
            target = value
        elif word not in _SAY_NOTHING:
            matches.add((word, negated, _canonical(word, value)))
        negated = False
    return Rule(chain, frozenset(matches), target, tuple(words)) if chain else None


def _values(words: Sequence[str], place: int) -> list[str]:
    """The words between an option and the next one."""
    taken: list[str] = []
    for word in words[place + 1 :]:
        if words[place] == "!" or word == "!" or (word.startswith("-") and not word[1:].isdigit()):
            break
        taken.append(word)
    return taken


def _canonical(option: str, value: str) -> str:
    if option in _NETS:
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            return value
    return value.lower() if option == "-p" else value


def shadowed(rules: Iterable[str], new: str) -> list[Rule]:
    """The rules before `new` that take all its packets, of the lines of its chain in order; the line `new` itself and
    what follows it may be among them. Empty when it works, or is no ACCEPT."""
    added = read(new)
    if added is None or added.target != "ACCEPT":
        return []
    before = [rule for line in rules if (rule := read(line)) is not None and rule.chain == added.chain]
    if before and before[-1].matches == added.matches and before[-1].target == "ACCEPT":
        before.pop()
    found: list[Rule] = []
    for rule in before:
        if rule.target not in (*_TAKE, "ACCEPT") or not covers(rule, added):
            continue
        if rule.target == "ACCEPT" and not found:
            return []  # its packets are accepted before any DROP comes
        if rule.target in _TAKE:
            found.append(rule)
    return found


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whether every packet that `narrow` matches is one that `wide` matches, as far as their words show."""
    return all(_within(match, narrow.matches) for match in wide.matches)


def _within(match: tuple[str, bool, str], others: frozenset[tuple[str, bool, str]]) -> bool:
    if match in others:
        return True
    option, negated, value = match
    if option not in _NETS or negated:
        return False
    return any(other == option and not no and _inside(net, value) for other, no, net in others)


def _inside(narrow: str, wide: str) -> bool:
    try:
        return ipaddress.IPv4Network(narrow).subnet_of(ipaddress.IPv4Network(wide))
    except ValueError:
        return False


def removal(rule: Rule, *, tool: str = "iptables", table: str = "filter") -> str:
    """The command that removes the rule, in as few words as it needs."""
    words = list(rule.words)
    words[words.index("-A")] = "-D"
    implied = {("-m", value) for option, _, value in rule.matches if option == "-p"}
    kept: list[str] = []
    for word in words:
        if kept and (kept[-1], word) in implied:
            kept.pop()
            continue
        kept.append(word)
    return shlex.join([tool, *(["-t", table] if table != "filter" else []), *kept])


def explanation(found: Sequence[Rule], *, tool: str = "iptables", table: str = "filter") -> str:
    """The warning for a person."""
    first = found[0]
    commands = "\n".join(f"    {removal(rule, tool=tool, table=table)}" for rule in found)
    many = "rules" if len(found) > 1 else "rule"
    return (
        f"{tool}: the rule was appended, and changes nothing: a firewall takes the first rule that matches, and the\n"
        f"{first.target} before it in {first.chain} still matches these packets first. Deleting the {many} clears it:\n"
        f"{commands}"
    )
