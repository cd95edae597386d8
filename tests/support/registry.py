"""A tiny registry: serves one image archive by the OCI distribution API, with a password if it has one."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson

from tests.support.images import members

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry(ThreadingHTTPServer):
    """`port` is where it listens on loopback; `seen` are the request lines that it answered."""

    daemon_threads = True

    def __init__(self, archive: Path, credentials: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        files = members(archive)
        self.blobs = {f"sha256:{name.rpartition('/')[2]}": data for name, data in files.items() if "blobs/" in name}
        self.manifest: str = orjson.loads(files["index.json"])["manifests"][0]["digest"]
        self.expected = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else ""
        self.seen: list[str] = []

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry

    def do_GET(self) -> None:
        self.server.seen.append(self.requestline)
        if self.server.expected and self.headers.get("Authorization") != self.server.expected:
            self._send(401, b"", {"WWW-Authenticate": 'Basic realm="tests"'})
            return
        what, _, reference = self.path.removeprefix("/v2/").rpartition("/")
        digest = self.server.manifest if what.endswith("/manifests") and ":" not in reference else reference
        data = self.server.blobs.get(digest)
        if self.path == "/v2/":
            self._send(200, b"{}", {})
        elif data is None:
            self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', {})
        else:
            kind = _MANIFEST if what.endswith("/manifests") else "application/octet-stream"
            self._send(200, data, {"Content-Type": kind, "Docker-Content-Digest": digest})

    do_HEAD = do_GET

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def registry(archive: Path, *, credentials: str = "") -> Iterator[Registry]:
    """Serve an archive for the length of a block; `credentials` are USER:PASSWORD."""
    server = Registry(archive, credentials)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
