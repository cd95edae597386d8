"""The loops over bootstrap tokens: `tokencleaner` deletes expired ones, `bootstrapsigner` signs cluster-info, so that
machines that have a token can verify the cluster's authority before they trust it.

Rules: pkg/controller/bootstrap. `cluster-info` in kube-public is a kubeconfig without credentials, signed with each
token that may sign; where kubeadm makes it, here the loop does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.kinds import CONFIGMAP, SECRET
from homeostat.api.types import Obj
from homeostat.loop.contract import Action, Create, Delete, Key, Later, Loop, Update, Watch, World

_INFO = f"{bootstrap_tokens.PUBLIC_NAMESPACE}/{bootstrap_tokens.CLUSTER_INFO}"


def _is_token(secret: Obj | None) -> bool:
    return (
        secret is not None
        and secret.get("type") == bootstrap_tokens.SECRET_TYPE
        and meta.namespace(secret) == bootstrap_tokens.NAMESPACE
    )


def _trim(secret: Obj) -> Obj:
    """Of Secrets that are no tokens nothing is kept but their metadata."""
    if _is_token(secret):
        return secret
    return {key: value for key, value in secret.items() if key not in ("data", "stringData")}


def cleaner_loop() -> Loop:
    """The loop `tokencleaner`."""

    def keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
        return (meta.key(new),) if new is not None and _is_token(new) else ()

    return Loop("tokencleaner", (Watch(SECRET, keys, _trim),), _clean)


def _clean(key: Key, world: World) -> list[Action]:
    secret = world.get(SECRET, *meta.split_key(key))
    if secret is None or not _is_token(secret):
        return []
    ends = bootstrap_tokens.expires_at(secret)
    if ends is None:
        return []
    if ends > world.now:
        return [Later(ends - world.now)]
    note = "the token's time is over"
    return [Delete(SECRET, meta.namespace(secret), meta.name(secret), uid=meta.uid(secret), note=note)]


def signer_loop(ca_pem: str, server: str, settings: Obj | None = None) -> Loop:
    """The loop `bootstrapsigner`; `server` is the URL by which machines outside reach the API, `settings` the flags
    that a node has to know."""
    wanted = public_kubeconfig(ca_pem, server, settings or {})

    def keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
        obj = new if new is not None else old
        ours = _is_token(obj) or (obj is not None and meta.key(obj) == _INFO)
        return (_INFO,) if ours else ()

    def decide(key: Key, world: World) -> list[Action]:
        data = {"kubeconfig": wanted}
        for secret in world.list(SECRET, bootstrap_tokens.NAMESPACE):
            if _may_sign(secret, world.now):
                said = bootstrap_tokens.data_of(secret)
                identifier, key_ = said.get("token-id", ""), said.get("token-secret", "")
                data[bootstrap_tokens.JWS_PREFIX + identifier] = bootstrap_tokens.sign(wanted, identifier, key_)
        current = world.get(CONFIGMAP, bootstrap_tokens.PUBLIC_NAMESPACE, bootstrap_tokens.CLUSTER_INFO)
        if current is None:
            metadata = {"name": bootstrap_tokens.CLUSTER_INFO, "namespace": bootstrap_tokens.PUBLIC_NAMESPACE}
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            return [Create(CONFIGMAP, made, ignore_exists=True, note="machines that join look for it")]
        if current.get("data") == data:
            return []
        return [Update(CONFIGMAP, {**current, "data": data}, note="the tokens or the authority changed")]

    return Loop("bootstrapsigner", (Watch(SECRET, keys, _trim), Watch(CONFIGMAP, keys)), decide, start_keys=(_INFO,))


def _may_sign(secret: Obj, now: float) -> bool:
    if not _is_token(secret) or meta.deleting(secret):
        return False
    ends = bootstrap_tokens.expires_at(secret)
    return bootstrap_tokens.data_of(secret).get("usage-bootstrap-signing") == "true" and (ends is None or ends > now)


def public_kubeconfig(ca_pem: str, server: str, settings: Obj) -> str:
    """A kubeconfig that says where the API is, by which authority it is known, and which flags nodes need; no more."""
    authority = base64.b64encode(ca_pem.encode()).decode()
    cluster: Obj = {"certificate-authority-data": authority, "server": server}
    if settings:
        cluster["extensions"] = [{"name": bootstrap_tokens.SETTINGS, "extension": settings}]
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "", "cluster": cluster}]}
    return json.dumps(config | {"contexts": [], "users": [], "current-context": ""}, indent=2)
