"""Where a component runs, and how it reaches the API from there."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from homeostat.api.flags.flag_settings import Settings
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.http import HttpTransport
from homeostat.cluster import certificates
from homeostat.cluster.certificates import Identity
from homeostat.cluster.node_kinds import Node
from homeostat.cluster.state_folder import Folder
from homeostat.cluster.topology import Cluster


@dataclass(frozen=True, slots=True)
class Place:
    """Where a component runs: its cluster and its node (none for the network process)."""

    folder: Folder
    cluster: Cluster
    node: Node | None
    sockets: dict[str, socket.socket]

    @property
    def settings(self) -> Settings:
        """The cluster's component flags."""
        return self.cluster.flags

    def here(self) -> Node:
        """The node of a component that has one."""
        assert self.node is not None
        return self.node

    def client(self, identity: Identity) -> Client:
        """A client over this node's way to the API."""
        tls = certificates.client_context(self.folder.pki, identity)
        return ApiClient(HttpTransport(self.here().endpoints, tls=tls), user_agent=identity.common_name)
