"""The health check ports of Services with externalTrafficPolicy Local: a load balancer asks each node whether it has
endpoints, and sends it connections only if so.

The answer is kube-proxy's (pkg/proxy/healthcheck): 200 with local endpoints, 503 without, JSON in both cases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson

from homeostat.kit.log import logger
from homeostat.network.decide.node_plan import Health

_log = logger("healthchecks")
_REQUEST_SECONDS = 5.0
_REQUEST_BYTES_MAX = 8192


class HealthChecks:
    """One listening port for each Service that has a check."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._addresses = addresses
        self._checks: dict[int, Health] = {}
        self._servers: dict[int, asyncio.Server] = {}

    async def serve(self, checks: Mapping[str, Health]) -> None:
        """Serve these from now on; a port that is in use is logged and tried again with the next change."""
        self._checks = {check.port: check for _, check in sorted(checks.items(), reverse=True)}
        for port in [port for port in self._servers if port not in self._checks]:
            self._servers.pop(port).close()
        for port, check in self._checks.items():
            if port not in self._servers:
                await self._open(port, check)

    async def close(self) -> None:
        """Stop serving."""
        await self.serve({})

    async def _open(self, port: int, check: Health) -> None:
        try:
            self._servers[port] = await asyncio.start_server(
                lambda reader, writer: self._answer(port, reader, writer),
                list(self._addresses),
                port,
                limit=_REQUEST_BYTES_MAX,
            )
        except OSError as error:
            _log.warning("the health check of %s cannot listen on port %d: %s", check.service, port, error.strerror)

    async def _answer(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await reader.readuntil(b"\r\n\r\n")
            if check := self._checks.get(port):
                writer.write(response(check))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that sends nothing sensible, or leaves, gets nothing
        finally:
            writer.close()


def response(check: Health) -> bytes:
    """The whole answer."""
    namespace, _, name = check.service.partition("/")
    fields = {"service": {"namespace": namespace, "name": name}, "localEndpoints": check.local_endpoints}
    body = orjson.dumps({**fields, "serviceProxyHealthy": True})
    line = "200 OK" if check.local_endpoints else "503 Service Unavailable"
    head = (
        f"HTTP/1.1 {line}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        f"X-Load-Balancing-Endpoint-Weight: {check.local_endpoints}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
