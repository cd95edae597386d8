"""Fetching what a pod refers to: ConfigMaps, Secrets and service account tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, RUNTIMECLASS, SECRET, SERVICEACCOUNT
from homeostat.api.types import Obj
from homeostat.client.contract import Client, Unreachable
from homeostat.kit import clock, tasks
from homeostat.node.podspec import spec
from homeostat.node.podspec.env import Sources
from homeostat.node.volumes.payload import TokenProjection
from homeostat.runtime.contract import RuntimeFault
from homeostat.wire.cause import WriteCause

_KINDS = {"ConfigMap": CONFIGMAP, "RuntimeClass": RUNTIMECLASS, "Secret": SECRET}
# The kubelet requests a new token after 80 % of the life of the old one, or a day.
_TOKEN_LIFE_USED = 0.8
_TOKEN_SECONDS_MAX = 86400.0
_REQUEST_SECONDS_MAX = 4.0


class References:
    """Reads on behalf of one node. Errors other than "not found" are raised as they come (ApiError).

    When no API server can be reached, what was read before is used, so that a node that is cut off can restart its
    containers."""

    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._loop = f"kubelet/{node_name}"
        self._tokens: dict[tuple[str, TokenProjection], tuple[str, float]] = {}
        self._known: dict[tuple[str, str, str], Obj] = {}
        self._reading: dict[tuple[str, str, str], asyncio.Task[Obj | ApiError | None]] = {}

    async def fetch(self, namespace: str, wanted: Iterable[tuple[str, str]]) -> Sources:
        """The objects as they are now; None for what is not there."""
        names = list(dict.fromkeys(wanted))
        found = await asyncio.gather(*(self._object(namespace, kind, name) for kind, name in names))
        return dict(zip(names, found, strict=True))

    async def _object(self, namespace: str, kind: str, name: str) -> Obj | None:
        """Pods that begin together share one read of what all of them refer to."""
        key = namespace, kind, name
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = tasks.spawn(self._read(key), name=f"{self._loop}/{kind}/{name}")
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        found = await asyncio.shield(reading)
        if isinstance(found, ApiError):
            raise found
        return found

    async def _read(self, key: tuple[str, str, str]) -> Obj | ApiError | None:
        namespace, kind, name = key
        try:
            async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                self._known[key] = await self._client.get(_KINDS[kind], name, namespace)
        except ApiError as error:
            if error.code == 404:
                self._known.pop(key, None)
            elif not isinstance(error, Unreachable) or key not in self._known:
                return error
        except TimeoutError:
            if key not in self._known:
                return Unreachable(f"{kind.lower()} {name} could not be read in time")
        return self._known.get(key)

    async def runtime_handler(self, pod: Obj) -> str:
        """What the engine calls the pod's RuntimeClass; empty for its default. Raises RuntimeFault."""
        name = spec.spec(pod).get("runtimeClassName")
        if not name:
            return ""
        what = "failed to get sandbox runtime"
        try:
            found = await self._object("", "RuntimeClass", name)
        except ApiError as error:
            raise RuntimeFault("CreatePodSandboxError", f"{what}: {error.message}") from error
        if found is None:
            raise RuntimeFault("CreatePodSandboxError", f'{what}: runtimeclass.node.k8s.io "{name}" not found')
        return str(found.get("handler") or "")

    async def tokens(self, pod: Obj, projections: Iterable[TokenProjection]) -> dict[TokenProjection, str]:
        """A valid token for each projection; requested again when most of its life is over."""
        named = list(dict.fromkeys(projections))
        found = await asyncio.gather(*(self._token(pod, projection) for projection in named))
        return dict(zip(named, found, strict=True))

    async def _token(self, pod: Obj, projection: TokenProjection) -> str:
        key = meta.uid(pod), projection
        held = self._tokens.get(key)
        if held is not None and clock.wall() < held[1]:
            return held[0]
        try:
            async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                return await self._new_token(key, pod, projection)
        except (Unreachable, TimeoutError) as error:
            if held is not None:
                return held[0]
            raise Unreachable("no service account token could be obtained") from error

    async def _new_token(self, key: tuple[str, TokenProjection], pod: Obj, projection: TokenProjection) -> str:
        account = spec.spec(pod).get("serviceAccountName") or "default"
        request: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        request["metadata"] = {"name": account, "namespace": meta.namespace(pod)}
        bound = {"kind": "Pod", "apiVersion": "v1", "name": meta.name(pod), "uid": meta.uid(pod)}
        request["spec"] = {"expirationSeconds": projection.expiration_seconds, "boundObjectRef": bound}
        request["spec"]["audiences"] = [projection.audience] if projection.audience else []
        cause = WriteCause(self._loop, meta.key(pod), "token for a volume")
        answer = await self._client.create(SERVICEACCOUNT, request, subresource="token", cause=cause)
        now = clock.wall()
        ends = meta.time_of(answer["status"].get("expirationTimestamp"), now + projection.expiration_seconds)
        renew_at = now + min((ends - now) * _TOKEN_LIFE_USED, _TOKEN_SECONDS_MAX)
        self._tokens[key] = answer["status"]["token"], renew_at
        return str(answer["status"]["token"])

    def forget(self, pod_uid: str) -> None:
        """Drop the tokens of a pod that is gone."""
        for key in [key for key in self._tokens if key[0] == pod_uid]:
            del self._tokens[key]
