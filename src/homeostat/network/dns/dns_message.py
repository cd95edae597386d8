"""DNS messages as bytes: a question is read by hand, since that happens for every packet; answers are made by dnslib.

Rules: RFC 1035 section 4, RFC 6891 (EDNS), RFC 2308 and RFC 8482 where they bind a server. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dnslib

from homeostat.network.dns import records
from homeostat.network.dns.records import Answer, Authority, Labels, Record, Service

HEADER_BYTES = 12
PLAIN_BYTES_MAX = 512
# The size that passes every network in one piece (the DNS flag day 2020); longer answers come over TCP.
UDP_BYTES_MAX = 1232
TCP_BYTES_MAX = 65535
_LABEL_BYTES_MAX, _NAME_BYTES_MAX = 63, 255
_IN, _ANY_CLASS = 1, 255
# A name further behind cannot be pointed to.
_POINTERS_TO = 0x3FFF
# An A record whose name is a pointer.
_RECORD_BYTES_MIN = 16
_QR, _OPCODE, _RD = 0x80, 0x78, 0x01
_DO = 0x8000


class Rejected(Exception):
    """A message that is answered by an error; `reply` is that answer."""

    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self.reply = reply


class Ignored(Exception):
    """Bytes that get no answer: not a question at all."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question as it came. `size` is how long an answer over UDP may be; `asked` are the labels as they were
    spelt, `labels` those to look for."""

    ident: bytes
    asked: tuple[bytes, ...]
    labels: Labels
    kind: int
    size: int
    recursion: bool = True
    edns: bool = False
    dnssec: bool = False


def read(data: bytes) -> Query:
    """The question in a message. Raises Rejected and Ignored."""
    if len(data) < HEADER_BYTES or data[2] & _QR:
        raise Ignored
    if data[2] & _OPCODE:
        raise Rejected(_error(data, records.NOTIMP))
    counts = [int.from_bytes(data[at : at + 2], "big") for at in (4, 6, 8, 10)]
    try:
        if counts[:3] != [1, 0, 0]:
            raise ValueError("one question, and nothing else, is understood")
        asked, at = _name(data, HEADER_BYTES)
        kind, class_ = _number(data, at), _number(data, at + 2)
        option = _option(data, at + 4, counts[3])
    except (ValueError, IndexError):
        raise Rejected(_error(data, records.FORMERR)) from None
    labels = tuple(label.decode("latin-1").lower() for label in asked)
    size, version, dnssec = option or (PLAIN_BYTES_MAX, 0, False)
    size = min(max(size, PLAIN_BYTES_MAX), UDP_BYTES_MAX)
    query = Query(data[:2], asked, labels, kind, size, bool(data[2] & _RD), option is not None, dnssec)
    if version:
        raise Rejected(write(query, Answer(records.BADVERS), limit=size))
    if class_ not in (_IN, _ANY_CLASS) or kind in (records.AXFR, records.IXFR):
        raise Rejected(write(query, Answer(records.REFUSED), limit=size))
    return query


def _number(data: bytes, at: int) -> int:
    """Two bytes. Raises IndexError when they are not there."""
    return data[at] << 8 | data[at + 1]


def _name(data: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    """The labels of an uncompressed name, and where it ends. Raises ValueError and IndexError."""
    labels, start = [], at
    while length := data[at]:
        if length > _LABEL_BYTES_MAX:
            raise ValueError("a question's name is not compressed")
        label = data[at + 1 : at + 1 + length]
        if len(label) < length:
            raise IndexError
        labels.append(label)
        at += 1 + length
    if at + 1 - start > _NAME_BYTES_MAX:
        raise ValueError("the name is too long")
    return tuple(labels), at + 1


def _option(data: bytes, at: int, count: int) -> tuple[int, int, bool] | None:
    """Of the EDNS record among the additional ones: size, version, whether signatures are wanted. Raises ValueError
    and IndexError."""
    found = None
    for _ in range(count):
        labels, at = _name(data, at)
        kind, size = _number(data, at), _number(data, at + 2)
        version, flags, length = data[at + 5], _number(data, at + 6), _number(data, at + 8)
        at += 10 + length
        if at > len(data):
            raise IndexError
        if kind == records.OPT:
            if labels or found:
                raise ValueError("there is one EDNS record, and it has the root's name")
            found = (size, version, bool(flags & _DO))
    return found


def _error(data: bytes, rcode: int) -> bytes:
    """An answer without a question, to what could not be read."""
    return data[:2] + bytes((_QR | data[2] & (_OPCODE | _RD), rcode)) + bytes(8)


def write(
    query: Query,
    answer: Answer,
    *,
    limit: int,
    further: Sequence[dnslib.RR] = (),
    authoritative: bool = True,
    turn: int = 0,
) -> bytes:
    """The answer's message of at most `limit` bytes. `further` are records from elsewhere, put behind the own ones;
    the own addresses begin with number `turn`, so that clients spread over them."""
    # One more than can be in it: enough to see that it is too long.
    most = limit // _RECORD_BYTES_MIN + 1
    own = [_record(query, record) for record in _turned(answer.records, turn)[:most]]
    authority = [_record(query, record) for record in answer.authority]
    additional = [_record(query, record) for record in answer.additional[:most]]
    return write_records(
        query, answer.rcode, (own + list(further), authority, additional), limit=limit, authoritative=authoritative
    )


Sections = tuple[Sequence[dnslib.RR], Sequence[dnslib.RR], Sequence[dnslib.RR]]


def write_records(query: Query, rcode: int, sections: Sections, *, limit: int, authoritative: bool = False) -> bytes:
    """A message of at most `limit` bytes: what is only additional is left out without a word; when an answer is, the
    message says that it is truncated."""
    answers, authority, additional = sections
    data = _pack(query, rcode, sections, authoritative=authoritative)
    if len(data) > min(limit, _POINTERS_TO) and additional:
        data = _pack(query, rcode, (answers, authority, ()), authoritative=authoritative)
    count = len(answers)
    while len(data) > limit and count:
        count = min(count - 1, count * limit // len(data))
        shorter = (answers[:count], (), ())
        data = _pack(query, rcode, shorter, authoritative=authoritative, truncated=True)
    if len(data) > limit:
        data = _pack(query, rcode, ((), (), ()), authoritative=authoritative, truncated=True)
    return data


def _turned(found: tuple[Record, ...], turn: int) -> tuple[Record, ...]:
    """The records with their addresses turned by `turn`; aliases come first, as they are."""
    aliases = sum(record.kind == records.CNAME for record in found)
    rest = found[aliases:]
    at = turn % len(rest) if rest else 0
    return found[:aliases] + rest[at:] + rest[:at]


def _pack(query: Query, rcode: int, sections: Sections, *, authoritative: bool, truncated: bool = False) -> bytes:
    header = dnslib.DNSHeader(
        id=int.from_bytes(query.ident, "big"), qr=1, aa=int(authoritative), tc=int(truncated), rd=int(query.recursion)
    )
    header.ra, header.rcode = 1, rcode & 0xF
    answers, authority, additional = sections
    additional = list(additional)
    if query.edns:
        flags = "do" if query.dnssec else ""
        additional.append(dnslib.EDNS0(udp_len=UDP_BYTES_MAX, ext_rcode=rcode >> 4, flags=flags))
    question = dnslib.DNSQuestion(dnslib.DNSLabel(query.asked), query.kind)
    found = dnslib.DNSRecord(header, questions=[question], rr=list(answers), auth=list(authority), ar=additional)
    return bytes(found.pack())


def _record(query: Query, record: Record) -> dnslib.RR:
    """A record for dnslib; one about the name that was asked for spells it as the question did."""
    own = record.name.count(".") + 1 == len(query.labels) and record.name == ".".join(query.labels)
    return dnslib.RR(
        dnslib.DNSLabel(query.asked) if own else _label(record.name), record.kind, ttl=record.ttl, rdata=_data(record)
    )


def _label(name: str) -> dnslib.DNSLabel:
    return dnslib.DNSLabel(tuple(name.encode("latin-1").split(b".")))


def _data(record: Record) -> dnslib.RD:
    match record.data:
        case Service(priority, weight, port, target):
            return dnslib.SRV(priority, weight, port, _label(target))
        case Authority(server, mailbox, serial, refresh, retry, expire, negative):
            times = (serial & 0xFFFFFFFF, refresh, retry, expire, negative)
            return dnslib.SOA(_label(server), _label(mailbox), times)
        case text if record.kind in _NAMED:
            return _NAMED[record.kind](_label(text))
        case text:
            return _PLAIN[record.kind](text)


_NAMED = {records.CNAME: dnslib.CNAME, records.NS: dnslib.NS, records.PTR: dnslib.PTR}
_PLAIN = {records.A: dnslib.A, records.AAAA: dnslib.AAAA, records.TXT: dnslib.TXT}


def ask(ident: int, labels: Sequence[bytes], kind: int, *, dnssec: bool = False) -> bytes:
    """A question for another server."""
    head = ident.to_bytes(2, "big") + bytes((_RD, 0, 0, 1, 0, 0, 0, 0, 0, 1))
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    flags = (_DO if dnssec else 0).to_bytes(2, "big")
    option = b"\0" + records.OPT.to_bytes(2, "big") + UDP_BYTES_MAX.to_bytes(2, "big") + b"\0\0" + flags + b"\0\0"
    return head + name + kind.to_bytes(2, "big") + _IN.to_bytes(2, "big") + option


@dataclass(frozen=True, slots=True)
class Reply:
    """What another server answered. The additional section is not kept: it is not needed, and it is the easiest to
    poison."""

    rcode: int
    answers: tuple[dnslib.RR, ...] = ()
    authority: tuple[dnslib.RR, ...] = ()
    truncated: bool = False


def read_reply(question: bytes, data: bytes) -> Reply:
    """The answer to `question` (a message that `ask` made). Raises ValueError when `data` is none."""
    if len(data) < HEADER_BYTES or data[:2] != question[:2] or not data[2] & _QR:
        raise ValueError("this answers another question")
    try:
        asked, at = _name(question, HEADER_BYTES)
        if int.from_bytes(data[4:6], "big") == 1:
            answered, end = _name(data, HEADER_BYTES)
            same = [label.lower() for label in answered] == [label.lower() for label in asked]
            if not same or data[end : end + 4] != question[at : at + 4]:
                raise ValueError("this answers another question")
        elif not data[3] & 0xF:
            raise ValueError("this answers no question")
        found = dnslib.DNSRecord.parse(data)
    except (IndexError, dnslib.DNSError) as error:
        raise ValueError(f"this is no DNS message: {error}") from error
    return Reply(found.header.rcode, tuple(found.rr), tuple(found.auth), bool(found.header.tc))


def aged(found: Sequence[dnslib.RR], seconds: int, *, most: int) -> list[dnslib.RR]:
    """The records when `seconds` have passed; none says that it lives longer than `most`."""
    return [dnslib.RR(rr.rname, rr.rtype, rr.rclass, max(min(rr.ttl, most) - seconds, 0), rr.rdata) for rr in found]
