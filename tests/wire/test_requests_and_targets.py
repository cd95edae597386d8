"""What RFC 9112 allows and forbids, read without a network: requests, limits, targets, and the heads of answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.wire import fields
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response
from homeostat.wire.reader import Phase, RequestReader


def read(*pieces, limits=None):
    """A reader that was fed these pieces."""
    reader = RequestReader(limits or Limits())
    for piece in pieces:
        reader.feed(piece.encode("latin-1") if isinstance(piece, str) else piece)
    return reader


def one(*pieces, limits=None):
    (incoming,) = read(*pieces, limits=limits).ready
    return incoming


def answer(incoming):
    """What a request says, or the status that it is refused with."""
    if incoming.refusal is not None:
        return incoming.refusal.status
    request = incoming.request
    return request.method, request.path, request.query, request.body, incoming.keep_alive


def refused(incoming):
    """The status that a request is refused with, at once or when its body is asked for; None for a good one."""
    if incoming.trouble is not None:
        return incoming.trouble.code
    return incoming.refusal.status if incoming.refusal else None


CHUNKED = "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/a", {}, b"", True)),
        ("GET /a HTTP/1.0\r\n\r\n", ("GET", "/a", {}, b"", False)),
        ("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ("GET", "/a", {}, b"", True)),
        ("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ("GET", "/a", {}, b"", False)),
        ("GET /a HTTP/1.1\r\nHost: a\r\nCONNECTION: Close\r\n\r\n", ("GET", "/a", {}, b"", False)),
        ("DELETE /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", ("DELETE", "/a", {}, b"{}", True)),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", ("GET", "/a", {}, b"abc", True)),
        ("POST /a HTTP/1.1\r\nHost: a\r\n\r\n", ("POST", "/a", {}, b"", True)),
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", ("POST", "/a", {}, b"", True)),
        (f"PATCH /a {CHUNKED}0\r\n\r\n", ("PATCH", "/a", {}, b"", True)),
        (f"PUT /a {CHUNKED}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", ("PUT", "/a", {}, b"abcde", True)),
        (f"PUT /a {CHUNKED}A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", ("PUT", "/a", {}, b"0123456789", True)),
        ("\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/a", {}, b"", True)),
        ("GET http://host/a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/a", {"b": "c"}, b"", True)),
    ],
)
def test_what_can_be_read(text, expected):
    assert answer(one(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET /a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"POST /a {CHUNKED}xyz\r\n",
        f"POST /a {CHUNKED}2\r\nabc\r\n0\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_could_be_taken_in_two_ways_or_none_is_refused(text):
    """Requests whose end two readers could see in different places are how requests are smuggled."""
    reader = read(text)
    assert [code for incoming in reader.ready if (code := refused(incoming))] == [400]
    assert reader.refused
    reader.feed(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not any(incoming.request.path == "/after" for incoming in reader.ready)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("", 400),
        ("Host: a\r\nHost: a\r\n", 400),
        ("Host: a\r\nX: y\r\nhost: b\r\n", 400),
        ("Host: a/b\r\n", 400),
        ("Host: a b\r\n", 400),
        ("Host: \r\n", None),
        ("Host: [::1]:6443\r\n", None),
    ],
)
def test_a_request_says_once_which_host_it_is_for(hosts, expected):
    """RFC 9112, 3.2; HTTP/1.0 may leave it out."""
    assert refused(one(f"GET / HTTP/1.1\r\n{hosts}\r\n")) == expected
    assert refused(one("GET / HTTP/1.0\r\n\r\n")) is None


def test_another_version_of_http_is_not_spoken():
    assert answer(one("GET /a HTTP/2.0\r\n\r\n")) == 505


@pytest.mark.parametrize(
    ("header", "status"),
    [("Expect: 100-continue", None), ("Expect: 100-Continue", None), ("Expect: 200-ok", 417), ("Expect: x", 417)],
)
def test_expectations(header, status):
    reader = read(f"POST /a HTTP/1.1\r\nHost: a\r\n{header}\r\nContent-Length: 3\r\n\r\n")
    assert reader.wants_continue is (status is None)
    assert [refused(incoming) for incoming in reader.ready] == [status]
    if status is None:
        reader.feed(b"abc")
        assert not reader.wants_continue
        assert reader.ready[0].request.body == b"abc"


def test_an_older_client_gets_no_100_continue():
    reader = read("POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert not reader.wants_continue


def test_headers_have_lower_names_and_repeated_ones_are_joined():
    request = one("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nY:   padded  \r\nEmpty:\r\n\r\n").request
    assert request.headers == {"host": "a", "x-one": "1, 2", "y": "padded", "empty": ""}


def test_bytes_of_headers_that_are_no_ascii_come_through():
    request = one(b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\r\n\r\n").request
    assert request.headers["x"].encode("latin-1").decode() == "café"


def test_requests_sent_ahead_come_out_in_order_up_to_a_refusal():
    text = "".join(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n" for number in range(5))
    assert [incoming.request.path for incoming in read(text).ready] == ["/0", "/1", "/2", "/3", "/4"]
    good, bad = read("GET /good HTTP/1.1\r\nHost: a\r\n\r\nBAD\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n").ready
    assert (good.request.path, answer(bad)) == ("/good", 400)


def test_the_state_of_a_reader():
    reader = RequestReader(Limits())
    steps = [
        (b"POST /a HT", Phase.HEAD),
        (b"TP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", Phase.BODY),
        (b"a", Phase.BODY),
        (b"b", Phase.IDLE),
    ]
    assert reader.phase is Phase.IDLE
    for data, phase in steps:
        reader.feed(data)
        assert reader.phase is phase
    assert reader.begun == 1


# Limits


def small(**limits):
    return Limits(**{"header_bytes_max": 400, "body_bytes_max": 20, **limits})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + "x" * 20, "read"),
        ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n", 413),
        (f"POST /a {CHUNKED}14\r\n" + "x" * 20 + "\r\n0\r\n\r\n", "read"),
        (f"POST /a {CHUNKED}15\r\n" + "x" * 21 + "\r\n0\r\n\r\n", 413),
        ("GET /" + "a" * 500 + " HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 500 + "\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n" * 20 + "\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n" * 5 + "\r\n", "read"),
    ],
)
def test_limits_of_heads_and_bodies(text, expected):
    incoming = one(text, limits=small())
    assert (refused(incoming) or "read") == expected


def test_a_body_that_is_too_large_is_refused_by_a_status_before_it_comes():
    incoming = one("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n", limits=small())
    assert not incoming.whole and not incoming.keep_alive
    status = incoming.trouble.status()
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 413, "RequestEntityTooLarge")


@pytest.mark.parametrize("size", [1, 7, 399])
def test_a_head_that_never_ends_is_refused_whatever_its_pieces(size):
    reader = RequestReader(small())
    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    fed = 0
    while not reader.refused and fed < 5000:
        reader.feed(b"y" * size)
        fed += size
    assert reader.ready[-1].refusal.status == 431
    assert fed <= 1200


# Any pieces

TEXTS = [
    "GET /api/v1/pods?limit=5&watch=true HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n",
    'POST /api/v1/namespaces/a/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX: 1\r\n\r\n{"a": "b"}  ',
    f"PATCH /x {CHUNKED}4\r\nabcd\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
    "DELETE /y%20z HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n.",
]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_requests_are_the_same_however_their_bytes_arrive(texts, sizes):
    data = "".join(texts).encode()
    whole = [answer(incoming) for incoming in read(data).ready]
    pieces, start = [], 0
    while start < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[start : start + size])
        start += size
    assert [answer(incoming) for incoming in read(*pieces).ready] == whole
    assert len(whole) == len(texts)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_reader(data):
    reader = read(data, limits=small())
    reader.feed(b"\r\n\r\n")
    assert len([incoming for incoming in reader.ready if incoming.refusal]) <= 1


# Targets and heads


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", {}),
        (b"/a/b", "/a/b", {}),
        (b"/a%20b", "/a b", {}),
        (b"/a%2Fb", "/a/b", {}),
        (b"/a+b", "/a+b", {}),
        (b"/a?x=1&y=2", "/a", {"x": "1", "y": "2"}),
        (b"/a?x=a+b%20c", "/a", {"x": "a b c"}),
        (b"/a?x=a%2Bb", "/a", {"x": "a+b"}),
        (b"/a?x=b=c", "/a", {"x": "b=c"}),
        (b"/a?x", "/a", {"x": ""}),
        (b"/a?&&x=1&", "/a", {"x": "1"}),
        (b"/a?", "/a", {}),
        (b"/a?labelSelector=app%20in%20%28a%2Cb%29", "/a", {"labelSelector": "app in (a,b)"}),
        (b"/a?x=caf%C3%A9", "/a", {"x": "café"}),
        (b"/a?limit=1&limit=2", "/a", {"limit": "1"}),  # the first counts, as in Go's url.Values.Get
        (b"https://host:6443/a?x=1", "/a", {"x": "1"}),
        (b"http://host", "/", {}),
    ],
)
def test_targets(target, path, query):
    assert fields.split_target(target) == (path, query)


@pytest.mark.parametrize("target", [b"a/b", b"", b"*", b"ftp://host/a", b"://", b"?x=1"])
def test_targets_that_are_no_path(target):
    with pytest.raises(ValueError, match="not a path"):
        fields.split_target(target)


NAMES = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF, blacklist_categories=("Cs",)), max_size=8)


@settings(max_examples=100, deadline=None)
@given(st.lists(NAMES, max_size=4), st.dictionaries(NAMES.filter(bool), NAMES, max_size=4))
def test_a_target_reads_back_as_what_it_was_made_of(parts, query):
    path = "/" + "/".join(parts)
    target = fields.encode_target(path, query)
    assert target.isascii() and " " not in target
    assert fields.split_target(target.encode()) == (path, query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, False),
        ({"watch": "true"}, True),
        ({"watch": "1"}, True),
        ({"watch": "false"}, False),
        ({"watch": "0"}, False),
        ({"follow": "true"}, True),
        ({"follow": ""}, False),
    ],
)
def test_which_answers_never_end(query, expected):
    assert fields.is_stream(Request("GET", "/x", query)) is expected


def head(response, *, length=0, keep_alive=True, version_1_0=False):
    options = {"length": length, "keep_alive": keep_alive, "version_1_0": version_1_0}
    return fields.response_head(response, date=b"date: now\r\n", **options).decode("latin-1").split("\r\n")


@pytest.mark.parametrize(
    ("response", "options", "expected"),
    [
        (Response(200, b""), {}, ["HTTP/1.1 200 OK", "content-length: 0"]),
        (Response(204, b""), {}, ["HTTP/1.1 204 No Content"]),
        (Response(304, b""), {}, ["HTTP/1.1 304 Not Modified"]),
        (Response(299, b""), {"length": 7}, ["HTTP/1.1 299 Status", "content-length: 7"]),
        (Response(200, b""), {"length": None}, ["HTTP/1.1 200 OK", "transfer-encoding: chunked"]),
        (Response(200, b""), {"length": None, "version_1_0": True, "keep_alive": False},
         ["HTTP/1.1 200 OK", "connection: close"]),
        (Response(200, b""), {"keep_alive": False}, ["HTTP/1.1 200 OK", "connection: close", "content-length: 0"]),
        (Response(200, b""), {"version_1_0": True}, ["HTTP/1.1 200 OK", "connection: keep-alive", "content-length: 0"]),
        (Response(429, b"", {"retry-after": "1"}), {},
         ["HTTP/1.1 429 Too Many Requests", "retry-after: 1", "content-length: 0"]),
        # An answer passed on says how another connection carried it.
        (Response(403, b"no", {"content-length": "2", "transfer-encoding": "chunked"}), {"length": 2},
         ["HTTP/1.1 403 Forbidden", "content-length: 2"]),
    ],
)  # fmt: skip
def test_heads_of_answers(response, options, expected):
    assert head(response, **options) == [*expected, "date: now", "", ""]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "\r\n\r\nbody"])
def test_a_header_cannot_break_out_of_its_line(value):
    with pytest.raises(ValueError, match="line break"):
        head(Response(200, b"", {"x": value}))
