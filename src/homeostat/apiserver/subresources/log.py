"""Pod logs: finds the container and its node, and passes the kubelet's stream through.

Rule: pkg/registry/core/pod/strategy.go, LogLocation, and the kubelet's `containerLogs` endpoint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeAlias
from urllib.parse import quote

from homeostat.api import errors, kinds, reachable
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Call
from homeostat.apiserver.path.query_numbers import integer
from homeostat.wire.fields import is_upgrade
from homeostat.wire.message import Handler, Request, Response

# Takes a Node object, returns the handler for requests to that node's kubelet.
KubeletDialer: TypeAlias = Callable[[Obj], Handler]


def guarded(dial: KubeletDialer, *, loopback: bool) -> KubeletDialer:
    """The dialer that connects to no Node whose address means this machine or no machine at all: a Node's address is
    what its agent wrote. It raises 400 then, and otherwise what `dial` raises."""

    def checked(node: Obj) -> Handler:
        for entry in (node.get("status") or {}).get("addresses") or ():
            address = reachable.address_of(str(entry.get("address")))
            internal = entry.get("type") == "InternalIP"
            if internal and (address is None or not reachable.is_global(address, loopback=loopback)):
                raise errors.bad_request("address not allowed")
        return dial(node)

    return checked


_PASSED = (
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
    "insecureSkipTLSVerifyBackend",
    "stream",
)
_COUNTS = {"sinceSeconds": 1, "tailLines": 0, "limitBytes": 1}


class Logs:
    """Reads logs over `dial`."""

    def __init__(self, dial: KubeletDialer) -> None:
        self._dial = dial

    async def read(self, call: Call) -> Response:
        """GET pods/NAME/log, streamed. Raises 400, 404, 422, 500 and what the kubelet answers."""
        info, query = call.info, call.request.query
        _check(query, info.name)
        pod = call.reader.get(kinds.POD, info.namespace, info.name)
        if pod is None:
            raise errors.not_found("pods", "", info.name)
        container = chosen_container(pod, query.get("container", ""))
        node_name = (pod.get("spec") or {}).get("nodeName") or ""
        if not node_name:
            # A Pod without a node has no log yet: kube-apiserver answers with an empty one.
            return _answer(call.request, b"")
        node = call.reader.get(kinds.NODE, "", node_name)
        if node is None:
            raise errors.not_found("nodes", "", node_name)
        passed = {name: query[name] for name in _PASSED if query.get(name)}
        path = "/containerLogs/" + "/".join(quote(part) for part in (info.namespace, info.name, container))
        answer = await self._dial(node)(Request("GET", path, query=passed, user=call.user))
        if answer.status >= 400:
            raise await _refused(answer, info.name)
        return _answer(call.request, answer.body)


def _answer(request: Request, log: bytes | AsyncIterator[bytes]) -> Response:
    if is_upgrade(request) and request.headers["upgrade"].lower() == "websocket":
        # It takes 15 ms to import: only for those who use it.
        from homeostat.apiserver.subresources.logsocket import over_websocket

        return over_websocket(request, log)
    return Response(200, log, {"content-type": "text/plain"})


def chosen_container(pod: Obj, wanted: str) -> str:
    """The container meant: the one named, or the only one. Raises 400 in Kubernetes' words."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    main = [container["name"] for container in spec.get("containers") or ()]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    extra = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    if wanted:
        if wanted not in (*main, *init, *extra):
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(main) == 1:
        return str(main[0])
    listed = f"choose one of: [{' '.join(main)}]"
    if init:
        listed += f" or one of the init containers: [{' '.join(init)}]"
    raise errors.bad_request(f"a container name must be specified for pod {name}, {listed}")


def _check(query: Mapping[str, str], name: str) -> None:
    """PodLogOptions' rules."""
    wrong: list[errors.Cause] = []
    for field, least in _COUNTS.items():
        value = integer(query, field)
        if value is not None and value < least:
            why = "must be greater than 0" if least else "must be greater than or equal to 0"
            wrong.append(errors.Cause("FieldValueInvalid", field, f"Invalid value: {value}: {why}"))
    if query.get("sinceSeconds") and query.get("sinceTime"):
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        wrong.append(errors.Cause("FieldValueForbidden", "", why))
    if wrong:
        raise errors.invalid("PodLogOptions", "", name, wrong)


async def _refused(answer: Response, name: str) -> errors.ApiError:
    """The kubelet's refusal: its text with its code."""
    body = answer.body
    raw = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
    text = raw.decode("utf-8", "replace").strip()
    if answer.status in (400, 404) and text:
        return errors.ApiError(answer.status, "BadRequest" if answer.status == 400 else "NotFound", text)
    why = f'an error on the server ("{text}") has prevented the request from succeeding (get pods {name})'
    return errors.ApiError(500, "InternalError", why)
