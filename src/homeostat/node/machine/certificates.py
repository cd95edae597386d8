"""A node agent's certificates where no authority is at hand: it asks for them by certificate requests, and renews them.

A request is approved and signed by loops of the controller manager, or by a person; the agent waits. What it has is
renewed at some point between 70 and 90 % of its life, chosen by chance, so that many nodes do not ask at once; whoever
uses the files (`wire.tls.refresh`) continues with the new ones. Rules: client-go's util/certificate and the kubelet's
"Certificate Rotation".
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from homeostat.api import meta
from homeostat.api.certificates import bootstrap_tokens, certificate_text, signers
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CSR
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import chance, clock, private
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.wire import pki, tls
from homeostat.wire.cause import WriteCause

_log = logger("kubelet.certificates")
_NODES = ("system:nodes",)
_POLL_SECONDS = 0.25
_RETRY = Backoff(first_seconds=1.0, ceiling_seconds=60.0)
_LIFE_USED = (0.7, 0.9)


class Refused(Exception):
    """The request was denied, or its signer could not sign it; the text says why."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A certificate to request: by which signer, in whose name, for which names and addresses, for how long (None: as
    long as the cluster gives). A machine that joins is bound to its `addresses`."""

    signer: str
    common_name: str
    usage: str
    organizations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    seconds: int | None = None
    addresses: tuple[str, ...] = ()


def client_request(node: str, *, addresses: tuple[str, ...] = (), seconds: int | None = None) -> CertificateRequest:
    """The client certificate of a node's agent; `addresses` are those of a machine that joins."""
    user = f"{signers.NODE_PREFIX}{node}"
    return CertificateRequest(signers.KUBELET_CLIENT, user, "client auth", _NODES, seconds=seconds, addresses=addresses)


def serving_request(node: str, names: tuple[str, ...], *, seconds: int | None = None) -> CertificateRequest:
    """By which the agent of a node is known when the API server asks it."""
    return CertificateRequest(
        signers.KUBELET_SERVING, f"{signers.NODE_PREFIX}{node}", "server auth", _NODES, names, seconds
    )


def proxy_request(*, seconds: int | None = None) -> CertificateRequest:
    """The client certificate of a node's service proxy."""
    return CertificateRequest(signers.CLIENT, "system:kube-proxy", "client auth", seconds=seconds)


async def obtain(client: Client, wanted: CertificateRequest) -> pki.KeyPair:
    """Ask for a certificate and wait until it is there. Raises Refused and ApiError."""
    asked = pki.make_request(wanted.common_name, organizations=wanted.organizations, names=wanted.names)
    spec: Obj = {
        "request": base64.b64encode(asked.certificate).decode(),
        "signerName": wanted.signer,
        "usages": ["digital signature", wanted.usage],
    }
    if wanted.seconds is not None:
        spec["expirationSeconds"] = wanted.seconds
    # A name of our own, so that a create whose answer was lost can be sent again.
    metadata: Obj = {"name": f"csr-{chance.name_suffix(10)}"}
    if wanted.addresses:
        metadata["annotations"] = {bootstrap_tokens.ADDRESSES: ",".join(wanted.addresses)}
    body = {"apiVersion": CSR.api_version, "kind": CSR.kind, "metadata": metadata, "spec": spec}
    cause = WriteCause("kubelet/certificates", wanted.common_name, f"needs a certificate of {wanted.signer}")
    try:
        request = await client.create(CSR, body, cause=cause)
    except ApiError as error:
        if error.code != 409:
            raise
        request = await client.get(CSR, metadata["name"])
    while True:
        certificate = _answer(request)
        if certificate:
            return pki.KeyPair(certificate, asked.key)
        await clock.sleep(_POLL_SECONDS)
        request = await client.get(CSR, meta.name(request))


def _answer(request: Obj) -> bytes:
    """The certificate of an answered request; empty while there is no answer. Raises Refused."""
    status = request.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") in ("Denied", "Failed"):
            why = condition.get("message") or condition.get("reason") or "no reason was given"
            raise Refused(f"certificate request {meta.name(request)}: {condition['type']}: {why}")
    return certificate_text.decoded(status.get("certificate"))


class Kept:
    """One certificate in two files (`NAME.crt`, `NAME.key` in a folder), kept good for as long as `run` runs.

    `wanted` says what to ask for now (addresses may change); `client` asks.
    """

    def __init__(self, folder: Path, name: str, client: Client, wanted: Callable[[], CertificateRequest]) -> None:
        self.certificate, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        self._client = client
        self._request = wanted
        self.ready = asyncio.Event()

    def renew_at(self) -> float:
        """When it is to be renewed (wall clock); 0 when there is none, or none that can be used."""
        try:
            begin, end = certificate_text.life_of(self.certificate.read_bytes())
        except (OSError, ValueError):
            return 0.0
        if not self.key.exists() or end <= clock.wall():
            return 0.0
        return begin + (end - begin) * chance.uniform(*_LIFE_USED)

    async def run(self) -> None:
        """Run for ever: obtain a certificate, and renew it in time; failures are retried."""
        failures = 0
        due = self.renew_at()
        while True:
            if due > clock.wall():
                self.ready.set()
                # In steps: a clock that is set, or a machine that slept, is noticed.
                await clock.sleep(min(due - clock.wall(), 3600.0))
                continue
            try:
                write(self.certificate, self.key, await obtain(self._client, self._request()))
            except (ApiError, Refused) as error:
                _log.warning("%s: %s", self.certificate.name, error)
                await clock.sleep(_RETRY.delay(failures))
                failures += 1
                continue
            failures = 0
            tls.refresh()
            due = self.renew_at()
            _log.info("%s is valid, and will be renewed at %s", self.certificate.name, clock.rfc3339(due))


def write(certificate: Path, key: Path, pair: pki.KeyPair) -> None:
    """Replace both files, the key first: a reader takes the pair when it fits together again."""
    private.folder(key.parent)
    private.write(key, pair.key)
    private.write(certificate, pair.certificate, mode=0o644)
