"""How a kubeconfig says that a cluster is reached: its address, whom to trust, and what to show. As kubectl reads it
(client-go, tools/clientcmd); what it does not support it refuses by name.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from homeostat.cluster import kubeconfig
from homeostat.cluster.errors import LabError
from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.wire import tls

_UNSUPPORTED = {
    "auth-provider": "kubectl dropped it in favour of `exec`",
    "username": "Kubernetes dropped passwords",
    "as": "impersonation is not supported here",
}
_EXEC_SECONDS_MAX = 60.0
# Credentials are asked for anew so long before they end, and not more often than this.
_EARLY_SECONDS, _PAUSE_SECONDS = 60.0, 5.0

_log = logger("kubeconfig")


@dataclass(frozen=True, slots=True)
class Access:
    """A way to a cluster. `token` is the bearer token to show now, empty for none; `server_name` the name in the
    server's certificate where it is not that of the URL; `tls` None for plain HTTP. `credentials` is there when a
    program makes them."""

    context: str
    server: str
    server_name: str
    tls: ssl.SSLContext | None
    token: Callable[[], str]
    credentials: Credentials | None = None


def access(file: Path, context: str = "") -> Access:
    """The access that a context of a kubeconfig describes (empty: the current one). A program that makes credentials
    has not run yet. Raises LabError."""
    if not file.exists():
        raise LabError(f"there is no kubeconfig {file}")
    config = kubeconfig.load(file)
    name = context or str(config.get("current-context") or "")
    if not name:
        raise LabError(f"{file} has no current context; name one with --context")
    found = _named(config, "contexts", name, file).get("context") or {}
    cluster = _named(config, "clusters", str(found.get("cluster") or ""), file).get("cluster") or {}
    user: dict[str, Any] = {}
    if found.get("user"):
        user = _named(config, "users", str(found["user"]), file).get("user") or {}
    for refused, why in _UNSUPPORTED.items():
        if user.get(refused):
            raise LabError(f"{file}: the user {found['user']!r} has `{refused}`: {why}")
    if cluster.get("proxy-url"):
        raise LabError(
            f"{file}: the cluster {found['cluster']!r} is behind a proxy (`proxy-url`), which is not supported"
        )
    server = str(cluster.get("server") or "").rstrip("/")
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LabError(f"{file}: the cluster {found.get('cluster')!r} has no usable `server`: {server!r}")
    if parts.path:
        raise LabError(
            f"{file}: the API of {found['cluster']!r} is below the path {parts.path}, which is not supported"
        )
    reader = _Reader(file)
    secure = reader.context(cluster, user) if parts.scheme == "https" else None
    program = Credentials(user["exec"], reader, secure) if user.get("exec") else None
    token = program.token if program else reader.token(user)
    return Access(name, server, str(cluster.get("tls-server-name") or ""), secure, token, program)


def _named(config: dict[str, Any], part: str, name: str, file: Path) -> dict[str, Any]:
    entries = [each for each in config.get(part) or [] if isinstance(each, dict)]
    for each in entries:
        if each.get("name") == name:
            return each
    names = ", ".join(sorted(str(each.get("name")) for each in entries)) or "none"
    raise LabError(f"{file} has no {part.removesuffix('s')} {name!r}; there are: {names}")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what a kubeconfig holds or points to; relative paths are its folder's."""

    file: Path

    def context(self, cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
        """Whom to trust, and the certificate to show."""
        try:
            authority = self.part(cluster, "certificate-authority")
            if cluster.get("insecure-skip-tls-verify"):
                made = tls.unverified_context()
            elif authority:
                made = tls.client_context_of(authority)
            else:
                made = ssl.create_default_context()
            certificate, key = self.part(user, "client-certificate"), self.part(user, "client-key")
            if certificate:
                show(made, certificate, key)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise LabError(f"{self.file}: its certificates cannot be used: {error}") from error
        return made

    def token(self, user: dict[str, Any]) -> Callable[[], str]:
        """What to show now: a token, or what is in a file by then."""
        if user.get("tokenFile") and not user.get("token"):
            place = self.place(str(user["tokenFile"]))
            try:
                place.read_text()
            except OSError as error:
                raise LabError(f"{self.file}: the token file {place} cannot be read: {error.strerror}") from error
            return lambda: place.read_text().strip()
        fixed = str(user.get("token") or "")
        return lambda: fixed

    def part(self, entry: dict[str, Any], name: str) -> bytes:
        """A PEM text that stands in the kubeconfig itself, or in a file. Raises OSError and ValueError."""
        if data := entry.get(f"{name}-data"):
            try:
                return base64.b64decode(str(data), validate=True)
            except binascii.Error as error:
                raise ValueError(f"`{name}-data` is not base64") from error
        return self.place(str(entry[name])).read_bytes() if entry.get(name) else b""

    def place(self, path: str) -> Path:
        """A path as the kubeconfig means it."""
        return self.file.parent / Path(path).expanduser()


@dataclass(slots=True)
class Credentials:
    """Credentials that a program makes (`exec`, client.authentication.k8s.io): a token, or a client certificate."""

    spec: dict[str, Any]
    reader: _Reader
    tls: ssl.SSLContext | None
    current: str = ""
    ends: float | None = None
    _shown: bytes = field(default=b"", repr=False)

    def token(self) -> str:
        """The newest token; empty where it is a certificate."""
        return self.current

    async def renew(self) -> None:
        """Run the program. Raises LabError."""
        command = str(self.spec.get("command") or "")
        path = str(self.reader.place(command)) if "/" in command else command
        version = str(self.spec.get("apiVersion") or "client.authentication.k8s.io/v1")
        info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
        extra = {str(each["name"]): str(each["value"]) for each in self.spec.get("env") or []}
        environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        argv = [path, *(str(each) for each in self.spec.get("args") or [])]
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(*argv, stdin=none, stdout=pipe, stderr=pipe, env=environment)
        except OSError as error:
            hint = f"; {self.spec['installHint']}" if self.spec.get("installHint") else ""
            text = f"the program {command!r}, which makes the credentials, cannot be started: {error.strerror}{hint}"
            raise LabError(text) from error
        try:
            async with asyncio.timeout(_EXEC_SECONDS_MAX):
                said, complaint = await process.communicate()
        except TimeoutError as error:
            process.kill()
            raise LabError(f"the program {command!r}, which makes the credentials, did not end") from error
        if process.returncode:
            last = (complaint.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise LabError(f"the program {command!r}, which makes the credentials, failed: {last}")
        self._take(command, said)

    def _take(self, command: str, said: bytes) -> None:
        try:
            status = json.loads(said)["status"]
            self.current = str(status.get("token") or "")
            ends = status.get("expirationTimestamp")
            self.ends = clock.parse_rfc3339(str(ends)) if ends else None
            certificate, key = str(status.get("clientCertificateData") or ""), str(status.get("clientKeyData") or "")
            if certificate and self.tls is not None and certificate.encode() != self._shown:
                show(self.tls, certificate.encode(), key.encode())
                self._shown = certificate.encode()
        except (ValueError, KeyError, TypeError, AttributeError, ssl.SSLError) as error:
            text = f"the program {command!r}, which makes the credentials, printed no ExecCredential that can be used"
            raise LabError(text) from error

    async def keep(self) -> None:
        """Renew them before they end, for ever."""
        while self.ends is not None:
            await clock.sleep(max(_PAUSE_SECONDS, self.ends - clock.wall() - _EARLY_SECONDS))
            try:
                await self.renew()
            except LabError as error:
                _log.warning("%s; trying again", error)


def show(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have a context show this certificate. OpenSSL reads files only: this one is never on a disk. Raises ssl.SSLError
    and OSError."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
