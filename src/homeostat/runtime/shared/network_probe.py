"""HTTP and TCP probes over the real network: small one-shot connections, as the kubelet makes them."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache

from homeostat.runtime.contract import HttpAnswer, HttpAsk, ProbeError

# The kubelet reads at most 10 KiB of an answer.
BODY_BYTES_MAX = 10 * 1024


async def tcp_connect(ip: str, port: int, timeout_seconds: float) -> None:
    """Open and close a connection. Raises ProbeError."""
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection(ip, port)
    except TimeoutError:
        raise ProbeError(f"dial tcp {ip}:{port}: i/o timeout") from None
    except OSError as error:
        raise ProbeError(f"dial tcp {ip}:{port}: {_why(error)}") from error
    writer.close()


async def http_get(ask: HttpAsk) -> HttpAnswer:
    """One GET; redirects are not followed. Raises ProbeError."""
    url = f"{ask.scheme.lower()}://{ask.ip}:{ask.port}{ask.path}"
    try:
        async with asyncio.timeout(ask.timeout_seconds):
            return await _get(ask)
    except TimeoutError:
        raise ProbeError(f'Get "{url}": context deadline exceeded') from None
    except (OSError, asyncio.IncompleteReadError, ValueError) as error:
        raise ProbeError(f'Get "{url}": {_why(error)}') from error


@lru_cache(maxsize=1)
def _any_certificate() -> ssl.SSLContext:
    """Probes check no certificates, so none have to be loaded (that alone takes 10 ms)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _get(ask: HttpAsk) -> HttpAnswer:
    context = _any_certificate() if ask.scheme == "HTTPS" else None
    reader, writer = await asyncio.open_connection(ask.ip, ask.port, ssl=context)
    try:
        given = {name.lower() for name, _ in ask.headers}
        lines = [f"GET {ask.path or '/'} HTTP/1.1", f"Host: {ask.host or ask.ip}:{ask.port}", "Connection: close"]
        lines += [] if "user-agent" in given else ["User-Agent: kube-probe/1.36"]
        lines += [] if "accept" in given else ["Accept: */*"]
        lines += [f"{name}: {value}" for name, value in ask.headers if name.lower() != "host"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status_line = (await reader.readline()).split(b" ", 2)
        if len(status_line) < 2 or not status_line[0].startswith(b"HTTP/"):
            raise ValueError("malformed HTTP response")
        while (await reader.readline()).strip():
            pass
        body = b""
        while len(body) < BODY_BYTES_MAX and (part := await reader.read(BODY_BYTES_MAX - len(body))):
            body += part
        return HttpAnswer(int(status_line[1]), body)
    finally:
        writer.close()


def _why(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    if isinstance(error, ConnectionResetError):
        return "read: connection reset by peer"
    if isinstance(error, asyncio.IncompleteReadError):
        return "EOF"
    return str(error)
