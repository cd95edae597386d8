"""Binding: the scheduler assigns a Pod to a node, once and for ever. The busiest subresource.

Rule: pkg/registry/core/pod/storage, `assignPod` and `setPodHostAndAnnotations`.
"""

from __future__ import annotations

from homeostat.api import errors, kinds
from homeostat.api.errors import ApiError, Cause
from homeostat.api.types import Obj
from homeostat.apiserver.contract import Call
from homeostat.apiserver.subresources.exchange import body_of, success, write_options
from homeostat.kit import clock
from homeostat.wire.message import Response


async def bind(call: Call) -> Response:
    """POST pods/NAME/binding, and POST bindings, where the Pod is named in the body. Raises 404, 409, 422."""
    binding = body_of(call)
    metadata = binding.get("metadata") or {}
    name = call.info.name or metadata.get("name") or ""
    if metadata.get("name", name) != name:
        raise errors.bad_request("name in URL does not match name in Binding object")
    target = binding.get("target") or {}
    node = target.get("name") or ""
    if wrong := _wrong(target, node):
        raise errors.invalid("Binding", "", name, wrong)

    def assign(pod: Obj) -> Obj:
        wanted, uid = metadata.get("uid"), pod["metadata"].get("uid")
        if wanted and wanted != uid:
            why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
            raise _conflict(name, why)
        return assigned(pod, node, metadata.get("annotations") or {})

    options = {**write_options(call), "subresource": "binding", "is_read_only": True}
    await call.writer.change(kinds.POD, call.info.namespace, name, assign, user=call.user, **options)
    return success()


def assigned(pod: Obj, node: str, annotations: Obj) -> Obj:
    """The Pod on its node: a new object, which shares with `pod` what stays. Raises 409 when it has one, is being
    deleted, or is gated."""
    name = pod["metadata"]["name"]
    spec = pod["spec"]
    if pod["metadata"].get("deletionTimestamp"):
        raise _conflict(name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise _conflict(name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise _conflict(name, f"pod {name} has non-empty .spec.schedulingGates")
    # A resourceVersion left in would make the write conflict with a status update in between.
    metadata = {**pod["metadata"], "resourceVersion": ""}
    if annotations:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    status = dict(pod.get("status") or {})
    # The nomination is fulfilled (ClearingNominatedNodeNameAfterBinding).
    status.pop("nominatedNodeName", None)
    others = [found for found in status.get("conditions") or () if found.get("type") != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": clock.now_rfc3339(),
    }
    status["conditions"] = [*others, scheduled]
    return {**pod, "metadata": metadata, "spec": {**spec, "nodeName": node}, "status": status}


def _wrong(target: Obj, node: str) -> list[Cause]:
    wrong: list[Cause] = []
    if target.get("kind") not in (None, "", "Node"):
        kind = target["kind"]
        wrong.append(
            Cause("FieldValueNotSupported", "target.kind", f'Unsupported value: "{kind}": supported values: "Node"')
        )
    if not node:
        wrong.append(Cause("FieldValueRequired", "target.name", "Required value"))
    return wrong


def _conflict(name: str, why: str) -> ApiError:
    return errors.conflict("pods/binding", "", name, why)
