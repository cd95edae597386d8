"""The built pages, from a folder: hashed assets are cached for ever, every other path is the page itself."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from homeostat.console.edge.guard import PAGE_HEADERS
from homeostat.wire.message import Request, Response

PACKAGED = Path(__file__).parents[1] / "static"
_INDEX = "index.html"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_COMPRESSED = (".js", ".css", ".html", ".json", ".svg", ".webmanifest")
_SMALL_BYTES = 1_024
_MISSING = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Homeostat</title>
<h1>The pages of the Console are not built</h1>
<p>This installation has no built pages. From a checkout, <code>make setup</code> builds them.</p></html>"""


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it is sent: as it is, or compressed (empty: it is not worth it)."""

    content: bytes
    compressed: bytes
    media: str
    tag: str
    stamp: tuple[int, int]


class Pages:
    """Answers with the files of `folder`. They are read when they are first asked for, and again when they change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    def answer(self, request: Request) -> Response:
        """The file at the request's path, else the page. 404 for an asset that is not there, 405 for what is no GET."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"", {"allow": "GET, HEAD", **PAGE_HEADERS})
        place = request.path.lstrip("/")
        found = self._file(place) if place else None
        if found is None and place.startswith("assets/"):
            return Response(404, b"not found", {"content-type": "text/plain", **PAGE_HEADERS})
        for_ever = found is not None and place.startswith("assets/")
        found = found or self._file(_INDEX)
        if found is None:
            headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", **PAGE_HEADERS}
            return Response(503, _MISSING, headers)
        return _send(found, request, cache=_FOR_EVER if for_ever else _ASK_AGAIN)

    def _file(self, place: str) -> _File | None:
        if not _is_plain(place):
            return None
        path = self._folder / place
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._files.get(place)
            if known is not None and known.stamp == stamp:
                return known
            if not path.is_file() or not path.resolve().is_relative_to(self._folder.resolve()):
                return None
            content = path.read_bytes()
        except (OSError, ValueError):
            return None
        found = self._files[place] = _made(path, content, stamp)
        return found


def _is_plain(place: str) -> bool:
    """Whether the path names a file below the folder, and none that is hidden."""
    parts = place.split("/")
    return "\0" not in place and "\\" not in place and not any(not part or part.startswith(".") for part in parts)


def _made(path: Path, content: bytes, stamp: tuple[int, int]) -> _File:
    media = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    compressed = b""
    if path.suffix in _COMPRESSED and len(content) > _SMALL_BYTES:
        compressed = gzip.compress(content, 9, mtime=0)
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    return _File(content, compressed, media, tag, stamp)


def _send(file: _File, request: Request, *, cache: str) -> Response:
    headers = {"content-type": file.media, "cache-control": cache, "etag": file.tag, **PAGE_HEADERS}
    if file.compressed:
        headers["vary"] = "accept-encoding"
    if request.headers.get("if-none-match", "") == file.tag:
        return Response(304, b"", headers)
    if file.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(200, file.compressed, {**headers, "content-encoding": "gzip"})
    return Response(200, file.content, headers)
