"""Links of a proxied answer: absolute paths are rewritten so that they lead through the proxy.

Rule: apimachinery's util/proxy/transport.go (`rewriteURL`, `rewriteHTML`): a `Location`, and in HTML pages the
attributes that hold URLs. All else of a page stays byte for byte; what is too large, or in an encoding that is not
known here, is passed on as it is. Pure.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

# A page larger than this, packed or not, is not looked at.
PAGE_BYTES_MAX = 4 * 1024 * 1024

_URLS = {
    "a": "href",
    "applet": "codebase",
    "area": "href",
    "audio": "src",
    "base": "href",
    "blockquote": "cite",
    "body": "background",
    "button": "formaction",
    "command": "icon",
    "del": "cite",
    "embed": "src",
    "form": "action",
    "frame": "longdesc src",
    "head": "profile",
    "html": "manifest",
    "iframe": "longdesc src",
    "img": "longdesc src usemap",
    "input": "src usemap formaction",
    "ins": "cite",
    "link": "href",
    "object": "classid codebase data usemap",
    "q": "cite",
    "script": "src",
    "source": "src",
    "video": "poster src",
}
_ATTRIBUTES = {tag: frozenset(names.split()) for tag, names in _URLS.items()}
# Elements whose content is text, whatever it looks like.
_TEXT = frozenset(
    ("iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp")
)
_OPENING = re.compile(r"<(?:!--|([A-Za-z][^\s/>]*+))")
_REST_OF_TAG = re.compile(r"(?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+>")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(\s*+=\s*+)(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Way:
    """`prefix` is the path up to `/proxy`; `behind` the host and port of the backend, `asked` those that the client
    named."""

    prefix: str
    behind: str
    asked: str


def through(url: str, way: Way) -> str:
    """The URL that leads through the proxy; the same one when it is relative, or leads to another host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = parts.netloc
    if _CONTROL.search(url) or not parts.path.startswith("/") or (host and host not in (way.behind, way.asked)):
        return url
    kept = (parts.scheme, host) if host == way.asked else ("", "")
    path = parts.path if parts.path.startswith(way.prefix) else way.prefix + parts.path
    return urlunsplit((*kept, path, parts.query, parts.fragment))


def page(body: bytes, encoding: str, way: Way) -> bytes:
    """An HTML page in the same content encoding, its links leading through the proxy."""
    if encoding == "":
        return _rewritten(body, way)
    if encoding not in ("gzip", "deflate"):
        return body
    for window in (zlib.MAX_WBITS | 16,) if encoding == "gzip" else (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        unpacker = zlib.decompressobj(window)
        try:
            plain = unpacker.decompress(body, PAGE_BYTES_MAX)
        except zlib.error:
            continue
        if not unpacker.eof or unpacker.unused_data:
            return body
        new = _rewritten(plain, way)
        if encoding == "gzip":
            return gzip.compress(new, mtime=0)
        packer = zlib.compressobj(wbits=window)
        return packer.compress(new) + packer.flush()
    return body


def _rewritten(body: bytes, way: Way) -> bytes:
    text = body.decode("latin-1")  # every byte is a character, so that the page's own encoding does not matter
    out: list[str] = []
    done = at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        if opening[1] is None:
            at = text.find("-->", opening.end())
        else:
            at = _tag(text, opening, way, out, done)
            done = max(done, at)
            if at > 0 and opening[1].lower() in _TEXT:
                closing = re.compile(f"</{re.escape(opening[1])}", re.IGNORECASE).search(text, at)
                at = closing.start() if closing else -1
        if at < 0:
            break  # what does not end has no further links
    out.append(text[done:])
    return "".join(out).encode("latin-1", "xmlcharrefreplace")


def _tag(text: str, opening: re.Match[str], way: Way, out: list[str], done: int) -> int:
    """Add the text from `done` up to the end of this tag, which is returned; -1 when it has none."""
    rest = _REST_OF_TAG.match(text, opening.end())
    if rest is None:
        return -1
    out.append(text[done : opening.end()])
    names = _ATTRIBUTES.get(opening[1].lower(), frozenset())

    def change(found: re.Match[str]) -> str:
        if found[1].lower() not in names:
            return found[0]
        old = found[found.lastindex or 3]
        new = through(old, way)
        if new == old:
            return found[0]
        mark = "'" if found[4] is not None else '"'
        return f"{found[1]}{found[2]}{mark}{new}{mark}"

    out.append(_ATTRIBUTE.sub(change, rest[0]) if names else rest[0])
    return rest.end()
