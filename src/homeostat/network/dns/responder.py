"""From a message to its answer: the zone's at once, the world's later.

Answers of the zone are kept as bytes under the bytes of the question, until anything in the zone changes: most
questions of a cluster are the same few, over and over.
"""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.network.dns import dns_message, records
from homeostat.network.dns.dns_message import Ignored, Query, Rejected
from homeostat.network.dns.forwarder import Forwarder
from homeostat.network.dns.records import Answer
from homeostat.network.dns.tally import Label, Tally
from homeostat.network.dns.zone import Zone

_KEPT_MAX = 4096
# In how many orders the addresses of one name are answered.
_TURNS_MAX = 8
_IDENT_BYTES = 2


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that others have to be asked for; `answer` is what is known of it already."""

    query: Query
    answer: Answer | None
    tcp: bool


class _Kept:
    """The zone's answer to one message, in several orders, made as they are needed."""

    __slots__ = ("_answer", "_next", "_query", "_replies", "_turns", "label")

    def __init__(self, query: Query, answer: Answer) -> None:
        self._query, self._answer = query, answer
        self._turns = max(min(len(answer.records), _TURNS_MAX), 1)
        self._replies: list[bytes] = []
        self._next = 0
        self.label: Label = ("udp", query.kind, answer.rcode)

    def reply(self) -> bytes:
        """All of the message but its number."""
        at = self._next
        self._next = (at + 1) % self._turns
        if at == len(self._replies):
            turn = at * len(self._answer.records) // self._turns
            self._replies.append(dns_message.write(self._query, self._answer, limit=self._query.size, turn=turn)[2:])
        return self._replies[at]


class Responder:
    """Answers messages from a zone, and by a forwarder what is not in it."""

    def __init__(self, zone: Zone, forwarder: Forwarder, tally: Tally) -> None:
        self._zone = zone
        self._forwarder = forwarder
        self._tally = tally
        self._kept: dict[bytes, _Kept] = {}
        self._version = 0
        self._turn = 0

    def at_once(self, data: bytes, *, tcp: bool) -> bytes | Pending | None:
        """The answer's bytes; None for what gets no answer; or what `later` is to be asked with."""
        if self._version != self._zone.version:
            self._kept.clear()
            self._version = self._zone.version
        if not tcp and (kept := self._kept.get(data[_IDENT_BYTES:])):
            self._tally.answers[kept.label] += 1
            return data[:_IDENT_BYTES] + kept.reply()
        try:
            query = dns_message.read(data)
        except Ignored:
            return None
        except Rejected as rejected:
            self._count(records.ANY, rejected.reply[3] & 0xF, tcp=tcp)
            return rejected.reply
        # Instead of all that there is, what is wanted most often: RFC 8482 leaves the choice to the server.
        answer = self._zone.answer(query.labels, records.A if query.kind == records.ANY else query.kind)
        if answer is None or answer.onward:
            return self._outside(query, answer, tcp=tcp)
        if not tcp:
            return self._keep(data, query, answer)
        self._count(query.kind, answer.rcode, tcp=tcp)
        self._turn += 1
        return dns_message.write(query, answer, limit=dns_message.TCP_BYTES_MAX, turn=self._turn)

    def _keep(self, data: bytes, query: Query, answer: Answer) -> bytes:
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        kept = self._kept[data[_IDENT_BYTES:]] = _Kept(query, answer)
        self._tally.answers[kept.label] += 1
        return data[:_IDENT_BYTES] + kept.reply()

    def _outside(self, query: Query, answer: Answer | None, *, tcp: bool) -> bytes | Pending:
        if query.recursion:
            return Pending(query, answer, tcp)
        # Who does not want others to be asked gets what there is.
        known = answer or Answer(records.REFUSED)
        self._count(query.kind, known.rcode, tcp=tcp)
        return dns_message.write(query, known, limit=_limit(query, tcp=tcp), authoritative=answer is not None)

    async def later(self, pending: Pending) -> bytes:
        """The answer, when others have been asked. Raises nothing."""
        query, known = pending.query, pending.answer
        limit = _limit(query, tcp=pending.tcp)
        labels = records.labels_of(known.onward) if known else query.labels
        reply = await self._forwarder.resolve(labels, query.kind, dnssec=query.dnssec)
        self._count(query.kind, reply.rcode, tcp=pending.tcp)
        if known is None:
            sections = (reply.answers, reply.authority, ())
            return dns_message.write_records(query, reply.rcode, sections, limit=limit)
        whole = Answer(reply.rcode, known.records)
        return dns_message.write(query, whole, limit=limit, further=reply.answers, authoritative=False)

    def failure(self, pending: Pending) -> bytes:
        """The answer when there is no time to ask anybody."""
        return dns_message.write(pending.query, Answer(records.SERVFAIL), limit=_limit(pending.query, tcp=pending.tcp))

    def _count(self, kind: int, rcode: int, *, tcp: bool) -> None:
        self._tally.answers["tcp" if tcp else "udp", kind, rcode] += 1


def _limit(query: Query, *, tcp: bool) -> int:
    return dns_message.TCP_BYTES_MAX if tcp else query.size
