"""Requests to one place, each over a connection of its own: a runtime's streams, and what the API server proxies."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from homeostat.client.http import HttpTransport, Timing
from homeostat.wire.message import Request, Response
from homeostat.wire.tls import unverified_context

# No limit for the answer: a client that does not want to wait closes the connection.
_PATIENT = Timing(connect=10.0, answer=float("inf"))


async def ask_at(url: str, request: Request) -> Response:
    """The answer to `request` at a URL of its own (in place of its path). Raises Unreachable, and ValueError on a URL
    that is not plain HTTP."""
    parts = urlsplit(url)
    transport = HttpTransport([f"{parts.scheme}://{parts.netloc}"])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    response = await transport.send(replace(request, target=target.encode("ascii")), repeatable=False)
    if response.upgrade is None:
        await transport.close()
    return response


async def ask_through(origin: str, request: Request) -> Response:
    """The answer to `request`, as it is, of the server at `origin` (scheme, host, port), whose certificate is not
    checked; the body comes in pieces. The request should say `connection: close`. Raises Unreachable and ValueError."""
    tls = unverified_context() if origin.startswith("https:") else None
    return await HttpTransport([origin], tls=tls, timing=_PATIENT).stream(request)
