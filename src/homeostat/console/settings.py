"""What a Console is started with. Data, and the contract of sign-in codes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from homeostat.api.types import Obj

# How long a sign-in lasts at most.
SESSION_SECONDS = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a sign-in code is worth: a bearer token, or (empty) the Console's fixed credentials."""

    token: str = ""


class Codes(Protocol):
    """How a sign-in code becomes a token. A code is good for one sign-in."""

    async def exchange(self, code: str) -> Grant:
        """What the code is worth; it has been used then. Raises ApiError: 401 for a code that is unknown, used or
        expired, 503 when that cannot be found out now."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """`api_servers` are (name, URL), in their order of preference; `tls` holds their authority (and, with
    `fixed_token`, a client certificate where there is one), `server_name` the name in their certificates where it is
    not the URL's.

    `session_key` (32 bytes) seals sessions: the same for all replicas. `allowed_hosts` are what a browser may call this
    server beside loopback names with its own port: `name` for any port, or `name:port`. With `fixed_token` every user
    acts with the Console's own credentials, as `kubectl` would: that token, or (when it returns an empty text) the
    certificate in `tls`; tokens of users are refused then. `records_causes` says whether the API servers have a
    journal of causes; None: find out.
    """

    api_servers: Sequence[tuple[str, str]]
    session_key: bytes
    host: str = "127.0.0.1"
    port: int = 0
    sockets: Sequence[socket.socket] = ()
    serving_tls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    allowed_hosts: Sequence[str] = ()
    # None: codes are bootstrap tokens of the cluster.
    codes: Codes | None = None
    fixed_token: Callable[[], str] | None = None
    records_causes: bool | None = None
    # What `/console/flags` says of the cluster's component flags; empty where they are not known.
    flags: Sequence[Obj] = ()
    # What `/console/drills` says of the drills that can be run on it.
    drills: Sequence[Obj] = ()
    # Shown on the pages.
    cluster: str = ""
    replica: str = ""
    # `run` returns when nobody has been connected for so long; None: it goes on.
    idle_seconds: float | None = None
    # Where the built pages are; None: in the package.
    static_folder: Path | None = None
