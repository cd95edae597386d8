"""Clients for commands: an administrator's, through the cluster's relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.http import HttpTransport
from homeostat.cluster import certificates
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import API_HOST


def admin_client(folder: Folder, *, connections_max: int = 32) -> Client:
    """A client; the caller closes it. Make it inside the event loop that uses it. At most `connections_max` of its
    requests are under way at once. Raises LabError."""
    cluster = folder.load()
    try:
        context = certificates.client_context(folder.pki, certificates.ADMIN)
    except OSError as error:
        text = f"the certificates in {folder.pki} cannot be used ({error.strerror or error}); "
        raise LabError(text + f"`homeostat up --name {folder.name}` makes what is missing") from error
    url = f"https://{API_HOST}:{cluster.api_port}"
    transport = HttpTransport([url], tls=context, connections_max=connections_max)
    return ApiClient(transport, user_agent="homeostat-cli")


@asynccontextmanager
async def administering(folder: Folder) -> AsyncIterator[Client]:
    """A client for the length of a block."""
    client = admin_client(folder)
    try:
        yield client
    finally:
        await client.close()
