"""What other servers have answered, for as long as they allow and this cluster likes. Pure: the time is an argument.

Rules: RFC 1035 section 3.2.1 (TTL), RFC 2308 (what is not there, and servers that fail). The bounds are those of
CoreDNS as kubeadm sets it up.
"""

from __future__ import annotations

from collections.abc import Hashable

from homeostat.network.dns import dns_message, records
from homeostat.network.dns.dns_message import Reply

ENTRIES_MAX = 9984
SECONDS_MAX = 30
_FAILURE_SECONDS = 5


class Cache:
    """Replies by question; when it is full, the least recently used is dropped first."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._entries: dict[Hashable, tuple[Reply, float, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: float) -> Reply | None:
        """The reply, its records as old as they are by now; None when there is none or its time is over."""
        found = self._entries.pop(key, None)
        if found is None:
            return None
        reply, since, until = found
        if now >= until:
            return None
        self._entries[key] = found
        return _aged(reply, int(now - since))

    def put(self, key: Hashable, reply: Reply, now: float) -> Reply:
        """Keep a reply; returns it as it is answered."""
        if seconds := lifetime(reply):
            self._entries.pop(key, None)
            self._entries[key] = (reply, now, now + seconds)
            while len(self._entries) > self._entries_max:
                del self._entries[next(iter(self._entries))]
        return _aged(reply, 0)


def lifetime(reply: Reply) -> int:
    """For how many seconds a reply may be kept."""
    if reply.truncated:
        return 0
    if reply.rcode == records.SERVFAIL:
        return _FAILURE_SECONDS
    if reply.rcode not in (records.NOERROR, records.NXDOMAIN):
        return 0
    if reply.answers and reply.rcode == records.NOERROR:
        return min([SECONDS_MAX, *(int(rr.ttl) for rr in reply.answers)])
    # The last of SOA's numbers says how long a name stays missing.
    allowed = [min(int(rr.ttl), int(rr.rdata.times[4])) for rr in reply.authority if rr.rtype == records.SOA]
    return min([SECONDS_MAX, *allowed]) if allowed else 0


def _aged(reply: Reply, seconds: int) -> Reply:
    answers, authority = (
        tuple(dns_message.aged(part, seconds, most=SECONDS_MAX)) for part in (reply.answers, reply.authority)
    )
    return Reply(reply.rcode, answers, authority, reply.truncated)
