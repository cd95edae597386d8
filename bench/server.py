"""One API server on its own, with SQLite, durable: what the API's figures are measured on.

    python -m bench.server FOLDER PORT TOKEN

It prints `ready` once it answers, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import EdgeConfig, build_edge
from homeostat.kit import collector
from homeostat.store.sqlite import SqliteStore
from homeostat.wire import pki
from homeostat.wire.http_server import serve
from homeostat.wire.message import User
from homeostat.wire.tls import server_context

# Who else may ask, by what follows the administrator's token in theirs.
_AUTHENTICATED = "system:authenticated"
OTHERS = {
    "owner": User("owner", (_AUTHENTICATED,)),
    "nobody": User("nobody", (_AUTHENTICATED,)),
    "node": User("system:node:fuzz-a", ("system:nodes", _AUTHENTICATED)),
}


async def run(folder: Path, port: int, token: str) -> None:
    """Serve until SIGTERM."""
    authority = pki.make_authority("bench")
    pair = pki.issue(authority, "bench", names=["localhost", "127.0.0.1"], server=True)
    (folder / "server.crt").write_bytes(pair.certificate)
    (folder / "server.key").write_bytes(pair.key)
    store = SqliteStore(folder / "store.db")
    await store.start()
    config = EdgeConfig(
        service_account_key=pki.issue(authority, "sa", client=True).key.decode(),
        static_tokens={
            token: User("bench", ("system:masters",)),
            **{f"{token}-{name}": user for name, user in OTHERS.items()},
        },
    )
    server = ApiServer(store, parts=build_edge(config))
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    collector.settle()
    tls = server_context(folder / "server.crt", folder / "server.key")
    edge = await serve(server.handle, port=port, tls=tls, bodies_on_demand=True)
    print("ready", flush=True)
    await stop.wait()
    await edge.close(grace_seconds=1.0)
    await server.stop()
    await store.close()


def main() -> None:
    """The command."""
    folder, port, token = sys.argv[1:4]
    uvloop.run(run(Path(folder), int(port), token))


if __name__ == "__main__":
    main()
