"""How a machine that has an address, a token and a fingerprint verifies a cluster, and gets its node's certificate.

As kubeadm's discovery by token: the public `cluster-info` is read without trust; its signature shows that who wrote it
knows the token, the fingerprint that its authority is the one that `join-command` saw; then it is read again from a
server that this authority vouches for. Only then is the token shown, and a certificate asked for.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from homeostat.api.certificates import bootstrap_tokens, certificate_text
from homeostat.api.documents import yaml_documents
from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.client.api_client import ApiClient
from homeostat.client.http import HttpTransport
from homeostat.cluster.state_folder import LabError, replace_file
from homeostat.kit import clock, private
from homeostat.kit.log import logger
from homeostat.node.machine.certificates import Refused, client_request, obtain, write
from homeostat.wire import pki, tls
from homeostat.wire.message import Request

_INFO = f"/api/v1/namespaces/{bootstrap_tokens.PUBLIC_NAMESPACE}/configmaps/{bootstrap_tokens.CLUSTER_INFO}"
_log = logger("join")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What `join-command` prints: the API's URL, a bootstrap token, and fingerprints of authorities to trust (of none:
    the token alone vouches, which whoever stole it can abuse)."""

    url: str
    token: str
    fingerprints: tuple[str, ...]

    def parts(self) -> tuple[str, str]:
        """The token's identifier and secret. Raises LabError."""
        parsed = bootstrap_tokens.parse(self.token)
        if parsed is None:
            raise LabError(f"{self.token!r} is no token: it looks like abcdef.0123456789abcdef")
        return parsed


@dataclass(frozen=True, slots=True)
class Found:
    """The cluster-info of a cluster: its CA certificate (PEM), and the flags that its nodes need."""

    authority: bytes
    settings: Settings


async def discover(invitation: Invitation) -> Found:
    """The cluster that the invitation is for. Raises LabError."""
    identifier, secret = invitation.parts()
    published = await _cluster_info(invitation.url, tls.unverified_context())
    content, signature = published.get("kubeconfig", ""), published.get(f"{bootstrap_tokens.JWS_PREFIX}{identifier}")
    if signature is None:
        text = f"the cluster at {invitation.url} does not know the token {identifier}: it may have expired; "
        raise LabError(text + "`homeostat join-command` makes a new one")
    if not bootstrap_tokens.is_signed(content, signature, identifier, secret):
        raise LabError(f"what {invitation.url} says of itself is not signed with this token: it cannot be trusted")
    cluster = _read(content)
    found = pki.fingerprint(cluster.authority)
    if invitation.fingerprints and found not in invitation.fingerprints:
        text = f"the cluster at {invitation.url} has another authority ({found}) than --ca-cert-hash says"
        raise LabError(text + ": it cannot be trusted")
    # The same from a server that this authority vouches for.
    trusted = tls.client_context_of(cluster.authority)
    if (await _cluster_info(invitation.url, trusted)).get("kubeconfig") != content:
        raise LabError(f"the cluster at {invitation.url} changed its description of itself a moment ago; try again")
    return cluster


async def _cluster_info(url: str, context: ssl.SSLContext) -> dict[str, str]:
    transport = HttpTransport([url], tls=context)
    try:
        response = await transport.send(Request("GET", _INFO), repeatable=True)
    except ApiError as error:
        raise LabError(f"the cluster cannot be reached: {error.message}") from error
    finally:
        await transport.close()
    if response.status != 200 or not isinstance(response.body, bytes):
        raise LabError(f"{url} has no cluster-info to read (HTTP status {response.status}): is it a cluster's API?")
    data: dict[str, str] = orjson.loads(response.body).get("data") or {}
    return data


def _read(kubeconfig: str) -> Found:
    """What the kubeconfig in cluster-info holds. Raises LabError."""
    try:
        config: Any = yaml_documents.load(kubeconfig)
        (entry,) = config["clusters"]
        pem = base64.b64decode(entry["cluster"]["certificate-authority-data"], validate=True)
        pki.fingerprint(pem)
        extensions = {each["name"]: each["extension"] for each in entry["cluster"].get("extensions") or ()}
        return Found(pem, Settings.from_dict(extensions.get(bootstrap_tokens.SETTINGS) or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"the cluster-info cannot be read: {error}") from error


def _kept_authority(folder: Path, node: str, invitation: Invitation) -> bytes | None:
    """The authority that this machine trusts already and has a good certificate of; None where it has to begin."""
    try:
        authority = (folder / "ca.crt").read_bytes()
        trusted = not invitation.fingerprints or pki.fingerprint(authority) in invitation.fingerprints
    except (OSError, ValueError):
        return None
    return authority if trusted and is_good(folder, f"kubelet-{node}", authority) else None


def _keep_authority(folder: Path, pem: bytes) -> Path:
    private.folder(folder)
    replace_file(folder / "ca.crt", pem, mode=0o644)
    return folder / "ca.crt"


async def bootstrap_client(
    invitation: Invitation, folder: Path, node: str, address: str, *, seconds: int | None = None
) -> Settings:
    """Have `ca.crt` and the client certificate of node `node` in `folder`; the cluster's flags. Raises LabError.

    The cluster binds the node to `address`: it gets serving certificates for that one.
    A certificate that is there and good is kept: a machine that comes again is the same node, and needs no token.
    """
    kept = await asyncio.to_thread(_kept_authority, folder, node, invitation)
    if kept is not None:
        content = (await _cluster_info(invitation.url, tls.client_context_of(kept))).get("kubeconfig", "")
        return _read(content).settings
    found = await discover(invitation)
    ca = await asyncio.to_thread(_keep_authority, folder, found.authority)
    transport = HttpTransport([invitation.url], tls=tls.client_context(ca), token=invitation.token)
    client = ApiClient(transport, user_agent="homeostat-join")
    try:
        pair = await obtain(client, client_request(node, addresses=(address,), seconds=seconds))
    except Refused as error:
        raise LabError(str(error)) from error
    except ApiError as error:
        if error.code == 401:
            raise LabError("the token is invalid or expired; `homeostat join-command` makes a new one") from error
        raise LabError(f"no certificate for this node: {error.message}") from error
    finally:
        await client.close()
    write(folder / f"kubelet-{node}.crt", folder / f"kubelet-{node}.key", pair)
    _log.info("this machine is node %s", node)
    return found.settings


def is_good(folder: Path, name: str, authority: bytes) -> bool:
    """Whether a certificate is there with its key, of this authority, and has not ended."""
    try:
        certificate = (folder / f"{name}.crt").read_bytes()
        _, end = certificate_text.life_of(certificate)
        tls.client_context(folder / "ca.crt", certificate=folder / f"{name}.crt", key=folder / f"{name}.key")
        return end > clock.wall() and pki.is_issued_by(certificate, authority)
    except (OSError, ValueError):
        return False
