"""Scale: how many replicas, read and set on any kind that has them (autoscaling/v1 Scale).

Rule: pkg/registry/apps/*/storage ScaleREST.
"""

from __future__ import annotations

from homeostat.api import errors
from homeostat.api.errors import Cause
from homeostat.api.kinds import Subresource
from homeostat.api.patch import patch_forms
from homeostat.api.selecting import label_selectors
from homeostat.api.shape.schema import schema_of
from homeostat.api.shape.structural import Misshapen
from homeostat.api.types import Obj
from homeostat.apiserver.bodies import request_objects
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.contract import Call
from homeostat.apiserver.describe.etag_documents import json_response
from homeostat.apiserver.subresources.exchange import body_of, typed, write_options
from homeostat.wire.message import Response

_SCALE = Subresource("scale", "autoscaling", "v1", "Scale")
RESOURCES = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "replicationcontrollers")


async def scale(call: Call) -> Response:
    """GET, PUT or PATCH of `scale`. Raises 404, 409, 422."""
    kind, info = call.info.kind, call.info
    if kind is None:
        raise errors.path_not_found()
    if info.verb == "get":
        obj = call.reader.get(kind, info.namespace, info.name)
        if obj is None:
            raise errors.not_found(kind.plural, kind.group, info.name)
        return json_response(scale_of(obj))
    if info.verb == "update":
        wanted = body_of(call)
        if (wanted.get("metadata") or {}).get("name", info.name) != info.name:
            raise errors.bad_request("the name of the object does not match the name on the URL")
    elif info.verb != "patch":
        raise errors.method_not_allowed()

    def resize(obj: Obj) -> Obj:
        asked = wanted if info.verb == "update" else _patched(call, scale_of(obj))
        version = (asked.get("metadata") or {}).get("resourceVersion") or "" if info.verb == "update" else ""
        return _resized(obj, asked, version)

    changed = await call.writer.change(kind, info.namespace, info.name, resize, user=call.user, **write_options(call))
    return json_response(scale_of(stored_form.decode(changed)))


def scale_of(obj: Obj) -> Obj:
    """The Scale of an object."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = spec.get("selector")
    labels = (
        "matchLabels" in (selector or {})
        or "matchExpressions" in (selector or {})
        or obj["kind"] != "ReplicationController"
    )
    shown = label_selectors.of_label_selector(selector) if labels else label_selectors.of_labels(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in kept if field in meta},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {"replicas": status.get("replicas", 0), "selector": str(shown)},
    }


def _patched(call: Call, current: Obj) -> Obj:
    asked = patch_forms.apply(request_objects.media_type(call.request), current, call.request.body, schema_of(_SCALE))
    try:
        return typed(call, request_objects.patched(asked, _SCALE))
    except Misshapen as error:
        raise request_objects.bad_patch(asked, error) from error


def _resized(obj: Obj, asked: Obj, version: str) -> Obj:
    name = obj["metadata"]["name"]
    replicas: int = (asked.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise errors.invalid("Scale", "autoscaling", name, [Cause("FieldValueInvalid", "spec.replicas", why)])
    obj["spec"]["replicas"] = replicas
    # The client's version, where it gave one, is the precondition; else the newest object is resized.
    obj["metadata"]["resourceVersion"] = version
    return obj
