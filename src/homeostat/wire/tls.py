"""TLS contexts from PEM files, and the user that a client certificate names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from homeostat.wire.message import User

_ALPN = ["http/1.1"]
# What each side of a handshake sends at most, one after the other.
_FLIGHTS = 3


def server_context(certificate: Path, key: Path, *, client_ca: Path | None = None) -> ssl.SSLContext:
    """For a server. With `client_ca` clients may show a certificate; one that this CA did not sign is refused.

    Raises OSError or ssl.SSLError on files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(_ALPN)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(ca: Path, *, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """For a client that trusts `ca` alone, and shows a certificate when it is given one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca)
    context.set_alpn_protocols(_ALPN)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def unverified_context() -> ssl.SSLContext:
    """For a client that talks to whoever answers, as the API server's proxy does with Pods and Services."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(_ALPN)
    return context


def rehearse(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Shake hands in memory, as `client` with `server` at `host`.

    At its first handshake OpenSSL sets up some 4 MB and spends 10 ms: processes forked after it share both.
    Raises ssl.SSLError when the two do not fit together.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_FLIGHTS):
        for side in sides:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    for sender, receiver in (sides, sides[::-1]):
        sender.write(b".")
        receiver.read(1)


def peer_user(certificate: Mapping[str, Any] | None) -> User | None:
    """The user of a verified certificate (as `getpeercert` gives it): common name and organisations (x509 in
    Kubernetes' authentication); None without a certificate or a common name."""
    if not certificate:
        return None
    name, groups = "", []
    for relative in certificate.get("subject", ()):
        for attribute, value in relative:
            if attribute == "commonName":
                name = value
            elif attribute == "organizationName":
                groups.append(value)
    return User(name, tuple(groups)) if name else None
