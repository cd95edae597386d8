"""Requests out of bytes: what is read as a repetition of the last request is what the parser would have read."""

import pytest

from homeostat.wire.limits import Limits
from homeostat.wire.reader import Phase, RequestReader

HEADERS = "\r\nHost: a\r\nAuthorization: Bearer t\r\nAccept: application/json\r\n\r\n"


def get(target="/api", headers=HEADERS, version="HTTP/1.1", method="GET"):
    return f"{method} {target} {version}{headers}".encode()


def read(reader, *parts):
    """What came out of the reader for these bytes, as plain values."""
    for part in parts:
        reader.feed(part)
    found = []
    while reader.ready:
        incoming = reader.ready.popleft()
        request, refusal = incoming.request, incoming.refusal
        seen = (request.method, request.path, dict(request.query), dict(request.headers), request.body)
        found.append((*seen, request.remote, incoming.keep_alive, incoming.version_1_0, refusal and refusal.status))
    return found


def warm(limits=None):
    """A reader that has seen the usual headers twice."""
    reader = RequestReader(limits or Limits(), remote="there")
    read(reader, get("/first"), get("/second"))
    return reader


TARGETS = ["/", "/a/b-c.d_e~f", "/pods?watch=1&labelSelector=a%3Db,c!=d", "/a%20b", "/x?q=a+b:c"]
ODD = [
    get("/sp ace"),
    get("no-slash"),
    get("http://host/absolute?x=1"),
    get("/caf\u00e9"),
    get("/a#b"),
    get("/a\tb"),
    get(version="HTTP/1.0"),
    get(version="HTTP/1.1 "),
    get(version="HTTP/2.0"),
    get(method="HEAD"),
    get(method="POST"),
    get(method="get"),
    get(headers="\r\nX-More: 1" + HEADERS),
    get(headers=HEADERS[:-2] + "X-More: 1\r\n\r\n"),
    get(headers=HEADERS[:-2] + "Connection: close\r\n\r\n"),
    get(headers=HEADERS[:-2] + "Content-Length: 2\r\n\r\n") + b"{}",
    get("/one") + get("/two"),
    get("/one") + b"garbage" + HEADERS.encode(),
    b"\r\n" + get("/after-an-empty-line"),
    get("/" + "long" * 400),
]


@pytest.mark.parametrize("data", [*(get(target) for target in TARGETS), *ODD])
def test_what_repeats_is_read_as_if_it_came_first(data):
    fresh = RequestReader(Limits(), remote="there")
    expected = read(fresh, data)
    used = warm()
    assert read(used, data) == expected
    assert used.refused == fresh.refused
    assert used.phase is fresh.phase is Phase.IDLE
    if not used.refused:
        assert read(used, get("/next")) == read(fresh, get("/next"))


@pytest.mark.parametrize("at", range(1, len(get("/split")), 7))
def test_a_repeated_request_in_two_parts_is_read_whole(at):
    data = get("/split")
    assert read(warm(), data[:at], data[at:]) == read(RequestReader(Limits(), remote="there"), data)


def test_every_request_counts_and_has_headers_of_its_own():
    reader = warm()
    begun = reader.begun
    reader.feed(get("/third"))
    assert reader.begun == begun + 1
    reader.ready.popleft().request.headers["x"] = "changed by whoever got it"
    assert "x" not in read(reader, get("/fourth"))[0][3]


def test_after_the_last_request_of_a_connection_nothing_is_read_as_repeated():
    closing = get(headers=HEADERS[:-2] + "Connection: close\r\n\r\n")
    assert read(warm(), closing, get("/late"))[-1][-1] == 400


def test_a_body_to_come_is_waited_for_however_often_its_head_repeats():
    data = get(headers="\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
    reader = RequestReader(Limits())
    for _ in range(3):
        reader.feed(data)
        incoming = reader.ready.popleft()
        assert (reader.phase, incoming.whole, incoming.request.body) == (Phase.BODY, False, b"")
        assert read(reader, b"{}") == []
        assert (incoming.whole, incoming.received, incoming.request.body) == (True, 2, b"{}")


def test_an_expectation_is_met_every_time():
    data = get(headers="\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    reader = RequestReader(Limits())
    for _ in range(3):
        assert len(read(reader, data)) == 1
        assert reader.wants_continue
        assert read(reader, b"{}") == []
        assert not reader.wants_continue


def test_the_bound_on_a_head_holds_for_a_repeated_one():
    limits = Limits(header_bytes_max=700)
    reader = warm(limits)
    assert read(reader, get("/" + "x" * 690))[0][-1] == 431
