"""DNS messages, byte by byte: questions that are read, refused or ignored; answers that fit (RFC 1035, 6891, 2181)."""

from __future__ import annotations

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.network.dns import dns_message, records
from homeostat.network.dns.dns_message import Ignored, Rejected
from homeostat.network.dns.records import Answer, Record, Service
from tests.network.dns.building import question

NAME = "web.default.svc.cluster.local"
HEAD = question(NAME)[: dns_message.HEADER_BYTES]


def addresses(count: int, name: str = NAME) -> tuple[Record, ...]:
    return tuple(Record(name, records.A, 5, f"10.244.{number >> 8}.{number & 255}") for number in range(count))


def rejected(data: bytes) -> dnslib.DNSRecord:
    with pytest.raises(Rejected) as caught:
        dns_message.read(data)
    return dnslib.DNSRecord.parse(caught.value.reply)


class TestQuestions:
    def test_what_dnslib_writes_is_read_the_same(self) -> None:
        query = dns_message.read(question("WeB.default.svc.cluster.local", "SRV", size=4096, ident=0xBEEF))
        assert query.labels == ("web", "default", "svc", "cluster", "local")
        assert query.asked[0] == b"WeB"
        assert (query.kind, query.ident, query.recursion) == (records.SRV, b"\xbe\xef", True)
        assert (query.edns, query.dnssec) == (True, False)

    def test_without_edns_an_answer_has_512_bytes(self) -> None:
        """RFC 1035, 2.3.4."""
        assert dns_message.read(question(NAME)).size == 512

    @pytest.mark.parametrize(("offered", "used"), [(0, 512), (511, 512), (1000, 1000), (1232, 1232), (65535, 1232)])
    def test_with_edns_it_has_what_both_sides_like(self, offered: int, used: int) -> None:
        """RFC 6891, 6.2.3: less than 512 counts as 512; more than 1232 may not come through in one piece."""
        record = dnslib.DNSRecord.question(NAME)
        record.add_ar(dnslib.EDNS0(udp_len=offered))
        assert dns_message.read(bytes(record.pack())).size == used

    def test_signatures_may_be_asked_for(self) -> None:
        record = dnslib.DNSRecord.question(NAME)
        record.add_ar(dnslib.EDNS0(flags="do", udp_len=1232))
        assert dns_message.read(bytes(record.pack())).dnssec

    def test_answers_and_scraps_are_ignored(self) -> None:
        """Whoever answers an answer makes two servers talk for ever."""
        for data in (b"", b"\0" * 11, bytes(dnslib.DNSRecord.question(NAME).reply().pack())):
            with pytest.raises(Ignored):
                dns_message.read(data)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(question(NAME)[:-1], id="ends too early"),
            pytest.param(question(NAME)[:20], id="ends within the name"),
            pytest.param(question(NAME)[:4] + b"\0\2" + question(NAME)[6:], id="two questions"),
            pytest.param(question(NAME)[:4] + b"\0\0" + question(NAME)[6:12], id="no question"),
            pytest.param(question(NAME)[:7] + b"\1" + question(NAME)[8:], id="an answer is counted"),
            pytest.param(question(NAME)[:12] + b"\xc0\x0c\0\1\0\1", id="a name that points to itself"),
            pytest.param(question(NAME)[:12] + b"\x40" + b"a" * 64 + b"\0\0\1\0\1", id="a label of 64 bytes"),
            pytest.param(question(NAME)[:12] + b"\x3f" * 256 + b"\0\0\1\0\1", id="a name of 257 bytes"),
            pytest.param(question(NAME, size=1232)[:-3], id="half an EDNS record"),
            pytest.param(question(NAME)[:11] + b"\2" + 2 * question(NAME, size=1232)[-11:], id="what is counted fails"),
        ],
    )
    def test_what_cannot_be_read_is_a_format_error(self, data: bytes) -> None:
        """RFC 1035, 4.1.1: with the number of the question, so that its sender knows."""
        reply = rejected(data)
        assert reply.header.rcode == records.FORMERR
        assert reply.header.id == 7

    def test_two_edns_records_are_a_format_error(self) -> None:
        """RFC 6891, 6.1.1."""
        record = dnslib.DNSRecord.question(NAME)
        record.add_ar(dnslib.EDNS0(udp_len=1232), dnslib.EDNS0(udp_len=1232))
        assert rejected(bytes(record.pack())).header.rcode == records.FORMERR

    def test_a_newer_edns_is_refused_by_its_own_code(self) -> None:
        """RFC 6891, 6.1.3: BADVERS, whose upper bits are in the EDNS record."""
        record = dnslib.DNSRecord.question(NAME)
        record.add_ar(dnslib.EDNS0(udp_len=1232, version=1))
        reply = rejected(bytes(record.pack()))
        assert (reply.ar[0].edns_rcode << 4) + reply.header.rcode == records.BADVERS

    @pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
    def test_zones_are_not_handed_out(self, kind: str) -> None:
        assert rejected(question(NAME, kind)).header.rcode == records.REFUSED

    def test_other_classes_are_refused(self) -> None:
        data = bytes(dnslib.DNSRecord(q=dnslib.DNSQuestion("version.bind", 16, 3)).pack())
        assert rejected(data).header.rcode == records.REFUSED

    def test_other_operations_are_not_known(self) -> None:
        """RFC 1035, 4.1.1: a NOTIFY or UPDATE is answered, and with its own operation."""
        data = bytearray(question(NAME))
        data[2] |= 5 << 3
        reply = rejected(bytes(data))
        assert (reply.header.rcode, reply.header.opcode) == (records.NOTIMP, 5)

    @given(st.binary(max_size=80) | st.binary(max_size=60).map(HEAD.__add__))
    def test_no_bytes_do_harm(self, data: bytes) -> None:
        """Whatever comes is read, rejected with an answer that can be parsed, or ignored."""
        try:
            dns_message.read(data)
        except Rejected as rejection:
            assert dnslib.DNSRecord.parse(rejection.reply).header.qr == 1
        except Ignored:
            pass

    @given(
        st.lists(st.binary(min_size=1, max_size=63), max_size=4),
        st.integers(0, 65535),
        st.booleans(),
        st.integers(0, 65535),
    )
    def test_what_is_asked_of_others_is_read_as_it_was_meant(
        self, labels: list[bytes], ident: int, dnssec: bool, kind: int
    ) -> None:
        if kind in (records.AXFR, records.IXFR):
            return
        query = dns_message.read(dns_message.ask(ident, labels, kind, dnssec=dnssec))
        assert (list(query.asked), int.from_bytes(query.ident, "big")) == (labels, ident)
        assert (query.kind, query.dnssec, query.edns) == (kind, dnssec, True)


class TestAnswers:
    def test_every_kind_is_written(self) -> None:
        query = dns_message.read(question(NAME, size=1232))
        found = (
            Record(NAME, records.CNAME, 5, "a.example"),
            Record("a.example", records.A, 5, "10.0.0.1"),
            Record("a.example", records.AAAA, 5, "fd00::1"),
            Record("a.example", records.NS, 5, "ns.example"),
            Record("a.example", records.PTR, 5, "b.example"),
            Record("a.example", records.TXT, 5, "1.1.0"),
            Record("a.example", records.SRV, 5, Service(0, 100, 53, "c.example")),
        )
        reply = dnslib.DNSRecord.parse(dns_message.write(query, Answer(records=found), limit=1232))
        assert [str(rr.rdata) for rr in reply.rr] == [
            "a.example.", "10.0.0.1", "fd00::1", "ns.example.", "b.example.", '"1.1.0"', "0 100 53 c.example.",
        ]  # fmt: skip
        assert (reply.header.aa, reply.header.ra, reply.header.rd, reply.header.tc) == (1, 1, 1, 0)

    def test_a_question_comes_back_as_it_was_spelt(self) -> None:
        """Resolvers check the case that they have chosen (draft-vixie-dnsext-dns0x20)."""
        query = dns_message.read(question("wEb.DEFAULT.svc.cluster.LOCAL"))
        reply = dnslib.DNSRecord.parse(dns_message.write(query, Answer(records=addresses(1)), limit=512))
        assert str(reply.q.qname) == str(reply.rr[0].rname) == "wEb.DEFAULT.svc.cluster.LOCAL."

    def test_edns_is_answered_only_where_it_was_asked(self) -> None:
        """RFC 6891, 6.1.1."""
        for size, expected in ((0, []), (1400, [records.OPT])):
            query = dns_message.read(question(NAME, size=size))
            reply = dnslib.DNSRecord.parse(dns_message.write(query, Answer(records=addresses(1)), limit=query.size))
            assert [rr.rtype for rr in reply.ar] == expected

    @pytest.mark.parametrize("limit", [512, 1232])
    def test_what_is_too_long_is_cut_and_says_so(self, limit: int) -> None:
        """RFC 2181, 9: the client asks again over TCP; one that cannot still has some addresses."""
        query = dns_message.read(question(NAME, size=limit if limit > 512 else 0))
        data = dns_message.write(query, Answer(records=addresses(300)), limit=limit)
        reply = dnslib.DNSRecord.parse(data)
        assert limit - 40 < len(data) <= limit
        assert reply.header.tc == 1
        assert len(reply.rr) > 20

    def test_what_is_only_additional_goes_first_and_without_a_word(self) -> None:
        query = dns_message.read(question(NAME, "SRV"))
        target = Service(0, 1, 80, NAME)
        answer = Answer(records=(Record(NAME, records.SRV, 5, target),), additional=addresses(40))
        reply = dnslib.DNSRecord.parse(dns_message.write(query, answer, limit=512))
        assert (len(reply.rr), len(reply.ar), reply.header.tc) == (1, 0, 0)

    def test_over_tcp_a_thousand_endpoints_fit(self) -> None:
        query = dns_message.read(question(NAME, "SRV"))
        names = [f"10-244-0-{number}.{NAME}" for number in range(1000)]
        found = tuple(Record(NAME, records.SRV, 5, Service(0, 1, 80, name)) for name in names)
        more = tuple(Record(name, records.A, 5, "10.0.0.1") for name in names)
        data = dns_message.write(query, Answer(records=found, additional=more), limit=dns_message.TCP_BYTES_MAX)
        reply = dnslib.DNSRecord.parse(data)
        assert (len(reply.rr), reply.header.tc) == (1000, 0)

    def test_addresses_are_turned_but_aliases_stay_in_front(self) -> None:
        query = dns_message.read(question("out.x"))
        found = (Record("out.x", records.CNAME, 5, NAME), *addresses(3))
        replies = [dns_message.write(query, Answer(records=found), limit=512, turn=turn) for turn in range(4)]
        orders = [[str(rr.rdata) for rr in dnslib.DNSRecord.parse(reply).rr] for reply in replies]
        assert orders[0] == [f"{NAME}.", "10.244.0.0", "10.244.0.1", "10.244.0.2"]
        assert orders[1] == [f"{NAME}.", "10.244.0.1", "10.244.0.2", "10.244.0.0"]
        assert orders[3] == orders[0]

    @given(st.integers(0, 400), st.integers(512, 1232), st.integers(0, 50))
    def test_no_answer_is_longer_than_it_may_be(self, count: int, limit: int, turn: int) -> None:
        query = dns_message.read(question(NAME, size=limit))
        data = dns_message.write(query, Answer(records=addresses(count)), limit=limit, turn=turn)
        reply = dnslib.DNSRecord.parse(data)
        assert len(data) <= limit
        assert (reply.header.tc == 1) == (len(reply.rr) < count)


class TestReplies:
    def make(self, **header: int) -> tuple[bytes, dnslib.DNSRecord]:
        asked = dns_message.ask(77, [b"Example", b"com"], records.A)
        reply = dnslib.DNSRecord(dnslib.DNSHeader(id=77, qr=1, **header), q=dnslib.DNSQuestion("example.com"))
        return asked, reply

    def test_a_reply_is_read(self) -> None:
        asked, reply = self.make(rcode=3)
        reply.add_answer(dnslib.RR("example.com", rdata=dnslib.A("192.0.2.1"), ttl=9))
        found = dns_message.read_reply(asked, bytes(reply.pack()))
        assert (found.rcode, found.truncated, len(found.answers)) == (3, False, 1)

    def test_a_reply_to_another_question_is_none(self) -> None:
        """RFC 5452: number, name and type all have to be those that were asked."""
        asked, reply = self.make()
        data = bytes(reply.pack())
        for forged in (b"\0\1" + data[2:], data.replace(b"example", b"exbmple"), data[:-3] + b"\x1c\0\1"):
            with pytest.raises(ValueError, match="question"):
                dns_message.read_reply(asked, forged)

    def test_a_question_is_no_reply(self) -> None:
        asked, _ = self.make()
        with pytest.raises(ValueError, match="question"):
            dns_message.read_reply(asked, asked)

    def test_an_error_need_not_repeat_the_question(self) -> None:
        """Some servers answer FORMERR with a header alone."""
        asked, _ = self.make()
        assert dns_message.read_reply(asked, asked[:2] + b"\x80\x01" + bytes(8)).rcode == records.FORMERR
        with pytest.raises(ValueError, match="no question"):
            dns_message.read_reply(asked, asked[:2] + b"\x80\x00" + bytes(8))

    @given(st.binary(max_size=60))
    def test_no_reply_does_harm(self, tail: bytes) -> None:
        asked, reply = self.make()
        for data in (asked[:2] + b"\x80\0" + tail, bytes(reply.pack())[:-4] + tail):
            try:
                dns_message.read_reply(asked, data)
            except ValueError:
                pass
