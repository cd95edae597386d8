"""Which ranges nodes can have their addresses in. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network

from homeostat.cluster.errors import LabError

# The lab's own, masters from 11, workers from 21, and a pool for load balancers up to 250.
PREFIX_MIN, PREFIX_MAX = 8, 24
_OPTION = "--node-cidr"


def node_range(text: str, used: dict[str, str]) -> IPv4Network:
    """The range that a person has asked for; `used` are those that the cluster needs for other things, by what they
    are for. Raises LabError, with what is wrong and one that would do."""
    example = "one that works is 172.30.0.0/24"
    try:
        asked = IPv4Network(text, strict=False)
    except ValueError:
        raise LabError(f"{_OPTION} {text}: not a range of IPv4 addresses; {example}") from None
    if str(asked) != text:
        raise LabError(f"{_OPTION} {text}: a range is written with its first address, here {asked}")
    if not PREFIX_MIN <= asked.prefixlen <= PREFIX_MAX:
        raise LabError(f"{_OPTION} {text}: nodes need a range between /{PREFIX_MIN} and /{PREFIX_MAX}; {example}")
    for is_so, what in (
        (asked.is_loopback, "loopback"),
        (asked.is_multicast, "multicast"),
        (asked.is_link_local, "link-local"),
        (asked.is_reserved or asked.network_address.packed[0] == 0, "reserved"),
    ):
        if is_so:
            raise LabError(f"{_OPTION} {text}: these are {what} addresses, which no machine can have; {example}")
    for purpose, other in used.items():
        if asked.overlaps(IPv4Network(other, strict=False)):
            raise LabError(f"{_OPTION} {text}: {purpose} have {other}; choose a range beside it")
    return asked
