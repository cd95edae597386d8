"""ServiceAccount: every Pod runs as an account that exists, and finds its token under the well-known path.

The token, the cluster's certificate and the namespace come as one projected volume `kube-api-access-xxxxx`. Its name is
made of the account's, where Kubernetes draws one for each Pod: so the specs of a template's Pods stay the same text,
and what is known of one is known of all (`api.shape.remembered`).
Rule: plugin/pkg/admission/serviceaccount.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

from homeostat.api import kinds
from homeostat.api.rules.eviction import is_mirror
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, Plugin, is_write_of, refuse
from homeostat.apiserver.contract import Attributes, Reader
from homeostat.kit import clock

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_VOLUME_PREFIX = "kube-api-access-"
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_DEFAULT = "default"

# A token lives an hour and a bit, so that a refresh at 80 % of its life never collides with a full hour.
_TOKEN_SECONDS = 3607

# The default account of a fresh namespace is made by a loop: how long a Pod waits for it.
_DEFAULT_ACCOUNT_SECONDS = 5.0
_OTHER_ACCOUNT_SECONDS = 0.05
_POLL_SECONDS = 0.02


class ServiceAccount(Plugin):
    """See the module."""

    name = "ServiceAccount"
    mutates = validates = frozenset({"pods"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._accounts: dict[tuple[str, str], Obj] = {}
        self._revision: int | None = None

    async def mutate(self, attributes: Attributes) -> None:
        """Set the account, its pull secrets and its volume. Raises 403 when the account does not exist."""
        if not is_write_of(attributes, "pods", CREATE) or attributes.obj is None:
            return
        pod = attributes.obj
        spec = pod.setdefault("spec", {})
        if is_mirror(pod):
            return
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or _DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._account(attributes.namespace, name)
        if account is None:
            why = f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            raise refuse(attributes, why)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
        if _automounts(spec, account):
            _mount_token(spec, account)

    async def validate(self, attributes: Attributes) -> None:
        """A mirror Pod may use neither an account nor a secret. Raises 403."""
        if not is_write_of(attributes, "pods", CREATE) or attributes.obj is None:
            return
        pod = attributes.obj
        if not is_mirror(pod):
            return
        spec = pod.get("spec") or {}
        if spec.get("serviceAccountName"):
            raise refuse(attributes, "a mirror pod may not reference service accounts")
        for volume in spec.get("volumes") or ():
            if "secret" in volume:
                raise refuse(attributes, "a mirror pod may not reference secrets")
            sources = (volume.get("projected") or {}).get("sources") or ()
            if any("serviceAccountToken" in source for source in sources):
                raise refuse(attributes, "a mirror pod may not use ServiceAccountToken volume projections")

    async def _account(self, namespace: str, name: str) -> Obj | None:
        account = self._known(namespace, name)
        if account is not None:
            return account
        patience = _DEFAULT_ACCOUNT_SECONDS if name == _DEFAULT else _OTHER_ACCOUNT_SECONDS
        deadline = clock.monotonic() + patience
        while account is None and clock.monotonic() < deadline:
            await clock.sleep(_POLL_SECONDS)
            account = self._known(namespace, name)
        return account

    def _known(self, namespace: str, name: str) -> Obj | None:
        """The account, decoded once while no account changes; read-only."""
        revision = self._reader.revision(kinds.SERVICEACCOUNT)
        if revision != self._revision:
            self._revision, self._accounts = revision, {}
        found = self._accounts.get((namespace, name))
        if found is None:
            found = self._reader.get(kinds.SERVICEACCOUNT, namespace, name)
            if found is not None:
                self._accounts[(namespace, name)] = found
        return found


def _automounts(spec: Obj, account: Obj) -> bool:
    for holder in (spec, account):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    return True


def _mount_token(spec: Obj, account: Obj) -> None:
    """Mount the token into every container that has nothing at its path; one volume for all."""
    names = {volume.get("name", "") for volume in spec.get("volumes") or ()}
    volume = next((name for name in sorted(names) if name.startswith(_VOLUME_PREFIX)), "")
    fresh = not volume
    if fresh:
        # No other volume begins like this: the name is free.
        volume = _VOLUME_PREFIX + _suffix(account["metadata"]["namespace"], account["metadata"]["name"])
    needed = False
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts = container.get("volumeMounts") or []
        if any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"mountPath": MOUNT_PATH, "name": volume, "readOnly": True}]
        needed = True
    if needed and fresh:
        spec["volumes"] = [*(spec.get("volumes") or ()), token_volume(volume)]


@lru_cache(maxsize=1024)
def _suffix(namespace: str, name: str) -> str:
    """Five characters such as Kubernetes draws, made of the account's namespace and name."""
    number = crc32(f"{namespace}/{name}".encode())
    text = ""
    for _ in range(5):
        number, at = divmod(number, len(_SUFFIX_ALPHABET))
        text += _SUFFIX_ALPHABET[at]
    return text


def token_volume(name: str) -> Obj:
    """The projected volume of a Pod's credentials."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources: list[Obj] = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"defaultMode": 420, "sources": sources}}
