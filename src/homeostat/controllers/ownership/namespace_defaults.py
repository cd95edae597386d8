"""What every namespace gets: the ServiceAccount `default`, and the CA certificate with which Pods verify the API
server.

Rules: pkg/controller/serviceaccount and pkg/controller/certificates/rootcacertpublisher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from homeostat.api import meta
from homeostat.api.kinds import CONFIGMAP, NAMESPACE, SERVICEACCOUNT
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.loop.contract import Action, Create, Key, Loop, Update, Watch, World

ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints."


def _spaces_of(name: str) -> Callable[[Obj | None, Obj | None, World], Iterable[Key]]:
    """The namespace of a changed or deleted object of this name."""

    def keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
        obj = new if new is not None else old
        return (meta.namespace(obj),) if obj is not None and meta.name(obj) == name else ()

    return keys


def _active(key: Key, world: World) -> bool:
    namespace = world.get(NAMESPACE, "", key)
    return namespace is not None and not meta.deleting(namespace)


def service_account_loop() -> Loop:
    """The loop `serviceaccount`."""

    def decide(key: Key, world: World) -> list[Action]:
        if not _active(key, world) or world.get(SERVICEACCOUNT, key, "default") is not None:
            return []
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": key}}
        return [Create(SERVICEACCOUNT, account, ignore_exists=True, note="every namespace has one")]

    return Loop("serviceaccount", (Watch(NAMESPACE), Watch(SERVICEACCOUNT, _spaces_of("default"))), decide)


def root_ca_loop(ca_pem: str) -> Loop:
    """The loop `root-ca-certificate-publisher`; `ca_pem` is the bundle in PEM."""

    def decide(key: Key, world: World) -> list[Action]:
        if not _active(key, world):
            return []
        current = world.get(CONFIGMAP, key, ROOT_CA)
        data = {"ca.crt": ca_pem}
        if current is None:
            metadata = {
                "name": ROOT_CA,
                "namespace": key,
                "annotations": {wellknown.ANNOTATION_DESCRIPTION: _DESCRIPTION},
            }
            wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            return [Create(CONFIGMAP, wanted, ignore_exists=True, note="every namespace has one")]
        if current.get("data") == data:
            return []
        return [Update(CONFIGMAP, {**current, "data": data}, note="the certificate was changed")]

    watches = (Watch(NAMESPACE), Watch(CONFIGMAP, _spaces_of(ROOT_CA)))
    return Loop("root-ca-certificate-publisher", watches, decide)
