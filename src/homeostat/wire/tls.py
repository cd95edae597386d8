"""TLS contexts from PEM files, the user that a client certificate names, and what went wrong in plain words.

Contexts remember their files: `refresh` reads those that have changed, and every later handshake uses the new ones.
"""

from __future__ import annotations

import ssl
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from homeostat.api.certificates import certificate_text
from homeostat.kit import clock
from homeostat.wire.message import User

_ALPN = ["http/1.1"]
# What is served in TLS 1.2 (of TLS 1.3 all are such): authenticated encryption with keys of one connection alone.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# What each side of a handshake sends at most, one after the other.
_FLIGHTS = 3


# What the files looked like when a context read them; entries go with their contexts.
_Stamp = tuple[tuple[int, int, int], ...]
_read: weakref.WeakKeyDictionary[ssl.SSLContext, tuple[Path, Path, _Stamp]] = weakref.WeakKeyDictionary()


def server_context(certificate: Path, key: Path, *, client_ca: Path | None = None) -> ssl.SSLContext:
    """For a server. With `client_ca` clients may show a certificate; one that this CA did not sign is refused.

    Raises OSError or ssl.SSLError on files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    _load(context, certificate, key)
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
        _load(context, certificate, key or certificate)
    return context


def unverified_context() -> ssl.SSLContext:
    """For a client that accepts any server, as the API server's proxy does with Pods and Services."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(_ALPN)
    return context


def client_context_of(authority: bytes) -> ssl.SSLContext:
    """For a client that trusts the authority in this PEM text alone, and shows no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority.decode())
    context.set_alpn_protocols(_ALPN)
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    stamp = _stamp(certificate, key)
    context.load_cert_chain(certificate, key)
    _read[context] = (certificate, key, stamp)


def _stamp(*files: Path) -> _Stamp:
    found = [file.stat() for file in files]
    return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in found)


def refresh() -> list[Path]:
    """Let all contexts of this process use the certificates that their files hold now; those that changed.

    A pair that does not fit together (yet), or cannot be read, is left for the next time.
    """
    changed = []
    for context, (certificate, key, stamp) in list(_read.items()):
        with suppress(OSError, ssl.SSLError):
            if _stamp(certificate, key) != stamp:
                _load(context, certificate, key)
                changed.append(certificate)
    return changed


def expired(context: ssl.SSLContext) -> str:
    """That the certificate which this context shows has expired, and where it is; empty when it has not.

    A peer that refuses it often closes the connection without an error.
    """
    known = _read.get(context)
    if known is None:
        return ""
    try:
        _, end = certificate_text.life_of(known[0].read_bytes())
    except (OSError, ValueError):
        return ""
    return f"the certificate {known[0]} has expired at {clock.rfc3339(end)}" if end <= clock.wall() else ""


_EXPLAINED = {
    "certificate has expired": "the server's certificate has expired",
    "certificate expired": "this client's certificate has expired",
    "certificate is not yet valid": "the server's certificate is not valid yet: a clock is wrong",
    "unknown ca": "the server does not know the authority of this client's certificate",
    "self-signed certificate": "the server's certificate was signed by an authority that is not trusted here",
    "unable to get local issuer": "the server's certificate was signed by an authority that is not trusted here",
}


def explain(error: BaseException | str) -> str:
    """An error of a handshake in plain words, where it is one of those that people can fix; else its own text."""
    text = str(error)
    # A peer's alerts have underscores, our own errors do not.
    words = text.lower().replace("_", " ")
    for sign, meaning in _EXPLAINED.items():
        if sign in words:
            return f"{meaning} ({text})"
    return text


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
