"""A Console in the foreground for any Kubernetes cluster that a kubeconfig names: it acts with those credentials."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from homeostat.client.contract import Unreachable
from homeostat.client.http import HttpTransport
from homeostat.cluster.errors import LabError
from homeostat.cluster.kubeconfig_access import Access, access
from homeostat.console import server
from homeostat.console.sessions.single_code import SingleCode
from homeostat.console.settings import ConsoleSettings
from homeostat.kit import chance, tasks
from homeostat.wire.message import Request

_HOST = "127.0.0.1"


async def serve(file: Path, context: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted. `port` 0 takes any free one; `on_ready` is called with a link that signs in once. Raises
    LabError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    found = access(file, context)
    async with AsyncExitStack() as running:
        if found.credentials is not None:
            await found.credentials.renew()
            renewing = tasks.spawn(found.credentials.keep(), name="console/credentials")
            running.push_async_callback(tasks.stop, renewing)
        await _check(found)
        code = chance.token_hex(16)
        settings = ConsoleSettings(
            api_servers=[(found.context, found.server)],
            session_key=bytes.fromhex(chance.token_hex(32)),
            host=_HOST,
            port=port,
            tls=found.tls,
            server_name=found.server_name,
            codes=SingleCode(code),
            fixed_token=found.token,
            cluster=found.context,
        )
        try:
            await server.run(settings, stop, ready=lambda taken: on_ready(f"http://{_HOST}:{taken}/#code={code}"))
        except OSError as error:
            raise LabError(f"cannot listen on {_HOST}:{port}: {error.strerror}; --port takes another one") from error


async def _check(found: Access) -> None:
    """That the cluster answers, and takes these credentials. Raises LabError."""
    transport = HttpTransport([found.server], tls=found.tls, token=found.token, server_name=found.server_name)
    try:
        answer = await transport.send(Request("GET", "/api"), repeatable=True)
    except Unreachable as error:
        raise LabError(f"the cluster of the context {found.context!r} does not answer: {error.why}") from error
    finally:
        await transport.close()
    if answer.status == 401:
        raise LabError(f"the cluster of the context {found.context!r} does not take the credentials of this kubeconfig")
