"""NamespaceLifecycle: nothing is created in a namespace that is missing or terminating; three namespaces cannot be
deleted.

Rule: k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from homeostat.api import errors, kinds
from homeostat.apiserver.admission.plugin import CREATE, DELETE, Plugin, is_write_of, name_of, refuse
from homeostat.apiserver.contract import Attributes, Reader
from homeostat.kit import clock

_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})

# Another API server may have created the namespace a moment ago: how long to let that arrive before saying no.
_ARRIVAL_SECONDS = 0.05
_POLL_SECONDS = 0.01


class NamespaceLifecycle(Plugin):
    """See the module."""

    name = "NamespaceLifecycle"
    validates = frozenset({"namespaces"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._going: dict[str, bool] = {}
        self._revision: int | None = None

    async def validate(self, attributes: Attributes) -> None:
        """Refuse to delete one of the three with 403."""
        if is_write_of(attributes, "namespaces", DELETE) and attributes.name in _IMMORTAL:
            raise refuse(attributes, "this namespace may not be deleted")

    async def mutate(self, attributes: Attributes) -> None:
        """Refuse a creation with 404 or 403, before any other plugin looks at it."""
        kind = attributes.kind
        if not kind.namespaced or attributes.operation != CREATE or kind.plural == "localsubjectaccessreviews":
            return
        namespace = attributes.namespace
        going = self._is_going(namespace)
        if going is None:
            await clock.sleep(_POLL_SECONDS)
            deadline = clock.monotonic() + _ARRIVAL_SECONDS
            while (going := self._is_going(namespace)) is None and clock.monotonic() < deadline:
                await clock.sleep(_POLL_SECONDS)
        if going is None:
            raise errors.not_found("namespaces", "", namespace)
        if going:
            raise _terminating(attributes)

    def _is_going(self, namespace: str) -> bool | None:
        """Whether the namespace is being deleted; None when it is not there."""
        revision = self._reader.revision(kinds.NAMESPACE)
        if revision != self._revision:
            self._revision, self._going = revision, {}
        if namespace not in self._going:
            obj = self._reader.get(kinds.NAMESPACE, "", namespace)
            if obj is None:
                return None
            phase = (obj.get("status") or {}).get("phase")
            self._going[namespace] = phase == "Terminating" or bool(obj["metadata"].get("deletionTimestamp"))
        return self._going[namespace]


def _terminating(attributes: Attributes) -> errors.ApiError:
    namespace = attributes.namespace
    error = refuse(attributes, f"unable to create new content in namespace {namespace} because it is being terminated")
    message = f"namespace {namespace} is being terminated"
    error.details["name"] = name_of(attributes)
    error.details["causes"] = [{"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}]
    return error
