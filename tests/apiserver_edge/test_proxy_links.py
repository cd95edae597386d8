"""Links of proxied pages lead through the proxy, as apimachinery's proxy transport has them."""

import gzip
import zlib

import pytest

from homeostat.apiserver.subresources.links import PAGE_BYTES_MAX, Way, page, through

P = "/api/v1/namespaces/a/services/b/proxy"
WAY = Way(P, "10.0.0.1:80", "localhost:8001")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/x?y=1#z", f"{P}/x?y=1#z"),
        ("/x/", f"{P}/x/"),
        ("x/y", "x/y"),
        ("?q", "?q"),
        ("#top", "#top"),
        ("mailto:a@b", "mailto:a@b"),
        (f"{P}/there", f"{P}/there"),
        ("http://10.0.0.1:80/x", f"{P}/x"),
        ("//10.0.0.1:80/x", f"{P}/x"),
        ("http://localhost:8001/x", f"http://localhost:8001{P}/x"),
        ("http://example.org/x", "http://example.org/x"),
        ("http://[bad/x", "http://[bad/x"),
        ("/x\ny", "/x\ny"),
    ],
)
def test_a_url_leads_through_the_proxy_when_it_leads_to_the_backend(url, expected):
    assert through(url, WAY) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="/x">', f'<a href="{P}/x">'),
        ("<A HREF='/x' id=1 class=/y>", f"<A HREF='{P}/x' id=1 class=/y>"),
        ("<img src=/i.png alt=/x>", f'<img src="{P}/i.png" alt=/x>'),
        ('<form action = "/do?a=1&amp;b=2">', f'<form action = "{P}/do?a=1&amp;b=2">'),
        ('<script src="/s.js">var a = \'<a href="/x">\'</script><a href="/y">', None),
        ('<!-- <a href="/x"> --><link href="/c.css"/>', f'<!-- <a href="/x"> --><link href="{P}/c.css"/>'),
        ('<p title="/x>">/x &lt;</p>', '<p title="/x>">/x &lt;</p>'),
        ('<a title=">" href="/x">', f'<a title=">" href="{P}/x">'),
        ('<a href="/x', '<a href="/x'),
        ("<!-- no end", "<!-- no end"),
        ("1 < 2 <a", "1 < 2 <a"),
    ],
)
def test_the_attributes_that_hold_urls_are_changed_and_nothing_else(html, expected):
    if expected is None:
        expected = html.replace('"/s.js"', f'"{P}/s.js"').replace('"/y"', f'"{P}/y"')
    assert page(html.encode(), "", WAY).decode() == expected


def test_bytes_of_any_encoding_stay():
    odd = bytes(range(256)).replace(b"<", b"")
    assert page(odd + b'<a href="/\xc3\xa9">', "", WAY) == odd + f'<a href="{P}/'.encode() + b'\xc3\xa9">'


def test_packed_pages_stay_packed():
    html, expected = b'<a href="/x">', f'<a href="{P}/x">'.encode()
    assert gzip.decompress(page(gzip.compress(html), "gzip", WAY)) == expected
    assert zlib.decompress(page(zlib.compress(html), "deflate", WAY)) == expected
    packer = zlib.compressobj(wbits=-15)
    raw = packer.compress(html) + packer.flush()
    assert zlib.decompressobj(-15).decompress(page(raw, "deflate", WAY)) == expected
    bomb = gzip.compress(b" " * (PAGE_BYTES_MAX + 1))
    for body, encoding in ((html, "br"), (b"not gzip", "gzip"), (bomb, "gzip")):
        assert page(body, encoding, WAY) == body


@pytest.mark.parametrize("part", ['<a "', "<a ", "<a<", "<!--", "<script>", "<a href='/x' ", '"'])
def test_the_time_is_that_of_the_pages_length(part):
    page(part.encode() * 200_000, "", WAY)  # twice as long a page would take four times as long otherwise: minutes
