"""`/healthz`, `/livez` and `/readyz`, with `?verbose`, and each check alone (`/livez/ping`), as in kube-apiserver."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from homeostat.api import errors
from homeostat.store.contract import StoreError
from homeostat.wire.message import Request, Response

# A check raises ApiError or StoreError, or takes too long, when what it looks at is not well.
Check = Callable[[], Awaitable[object]]

ROOTS = ("healthz", "livez", "readyz")
_SECONDS = 2.0
_PLAIN = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-cache, private"}


async def ping() -> None:
    """The server answers: that is the check."""


class Health:
    """The checks by root and name."""

    def __init__(self, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        alive = {"ping": ping, **live}
        self._checks = {"livez": alive, "healthz": alive, "readyz": {**alive, **ready}}

    async def handle(self, request: Request) -> Response:
        """Answer a health path. Raises 404 for an unknown check."""
        root, _, name = request.path.strip("/").partition("/")
        checks = self._checks[root]
        if name:
            if name not in checks:
                raise errors.path_not_found()
            checks = {name: checks[name]}
        excluded = _excluded(request)
        failed: list[str] = []
        lines: list[str] = []
        for label, check in checks.items():
            if label in excluded:
                lines.append(f"[+]{label} excluded: ok")
                continue
            well = await _passes(check)
            failed += [] if well else [label]
            lines.append(f"[+]{label} ok" if well else f"[-]{label} failed: reason withheld")
        if unknown := sorted(excluded - checks.keys()):
            quoted = ", ".join(f'"{label}"' for label in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
        if failed:
            return Response(500, ("\n".join(lines) + f"\n{root} check failed\n").encode(), dict(_PLAIN))
        if "verbose" in request.query and not name:
            return Response(200, ("\n".join(lines) + f"\n{root} check passed\n").encode(), dict(_PLAIN))
        return Response(200, b"ok", dict(_PLAIN))


def _excluded(request: Request) -> set[str]:
    """The checks to leave out: each `exclude` of the query."""
    found = parse_qs(request.target.partition(b"?")[2].decode("latin-1")).get("exclude", [])
    return {*found, request.query.get("exclude", "")} - {""}


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            await check()
    except (TimeoutError, StoreError, errors.ApiError):
        return False
    return True
