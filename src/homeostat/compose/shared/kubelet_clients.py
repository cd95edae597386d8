"""How an API server reaches the agents of nodes: over TLS, each known by its node's name.

A Node's address is what its agent writes. What answers there shows a certificate for the node's *name*, which only
that node has: an agent that writes another machine's address, or an API server's, gains no connection to it.
"""

from __future__ import annotations

import ssl

from homeostat.api import errors, meta
from homeostat.api.types import Obj
from homeostat.client.http import HttpTransport
from homeostat.kit import tasks
from homeostat.wire.fields import is_upgrade
from homeostat.wire.message import Handler, Request, Response

_NODES_MAX = 5000


class Kubelets:
    """Keeps the connections to each node's agent; `tls` is the context of an API server as their client."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._transports: dict[str, tuple[str, HttpTransport]] = {}

    def dial(self, node: Obj) -> Handler:
        """The agent of a Node. Raises 503 when the Node has no address yet."""
        transport = self._transport(meta.name(node), _url(node))

        async def send(request: Request) -> Response:
            # What may have begun is not begun again, unless it only reads.
            reads = request.method in ("GET", "HEAD") and not is_upgrade(request)
            return await transport.send(request, repeatable=reads)

        return send

    def _transport(self, name: str, url: str) -> HttpTransport:
        known = self._transports.pop(name, None)
        if known is not None and known[0] != url:
            self._retire(known[1])
            known = None
        made = known or (url, HttpTransport([url], tls=self._tls, server_name=name))
        # The one used last is last.
        self._transports[name] = made
        if len(self._transports) > _NODES_MAX:
            self._retire(self._transports.pop(next(iter(self._transports)))[1])
        return made[1]

    def _retire(self, transport: HttpTransport) -> None:
        tasks.spawn(transport.close(), name="apiserver/kubelet-moved")


def _url(node: Obj) -> str:
    status = node.get("status") or {}
    addresses = status.get("addresses") or ()
    host = next((each.get("address") for each in addresses if each.get("type") == "InternalIP"), None)
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    if not host or not port:
        raise errors.unavailable(f"node {meta.name(node)} has no address yet: its agent has not registered")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
