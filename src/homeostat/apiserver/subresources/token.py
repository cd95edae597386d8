"""TokenRequest: POST serviceaccounts/NAME/token gives a signed token, bound to a Pod, Secret or Node where asked.

Rule: pkg/registry/core/serviceaccount/storage/token.go.
"""

from __future__ import annotations

from homeostat.api import errors, kinds
from homeostat.api.errors import Cause
from homeostat.api.types import Obj
from homeostat.apiserver.admission.node_restriction import check_token
from homeostat.apiserver.authn.service_account_tokens import TokenIssuer
from homeostat.apiserver.authz.node_authorizer import node_of
from homeostat.apiserver.contract import Call
from homeostat.apiserver.describe.etag_documents import json_response
from homeostat.apiserver.subresources.exchange import CREATED, body_of
from homeostat.kit import clock
from homeostat.wire.message import Response

_SECONDS_MIN = 600
_SECONDS_MAX = 1 << 32
_SECONDS_DEFAULT = 3600
_BINDABLE = {"Pod": kinds.POD, "Secret": kinds.SECRET, "Node": kinds.NODE}


class TokenRequests:
    """Signs with the cluster's key."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer

    async def create(self, call: Call) -> Response:
        """201 with the TokenRequest, its status filled. Raises 400, 404, 409, 422."""
        info = call.info
        request = body_of(call)
        account = call.reader.get(kinds.SERVICEACCOUNT, info.namespace, info.name)
        if account is None:
            raise errors.not_found("serviceaccounts", "", info.name)
        spec = dict(request.get("spec") or {})
        if (node := node_of(call.user)) is not None and (why := check_token(call.reader, node, info.namespace, spec)):
            raise errors.forbidden("serviceaccounts", "", info.name, why)
        seconds = spec.get("expirationSeconds")
        seconds = _SECONDS_DEFAULT if seconds is None else seconds
        _check_seconds(seconds, info.name)
        bound = _bound_to(call, spec.get("boundObjectRef") or {})
        audiences = spec.get("audiences") or list(self._issuer.audiences)
        token, expires = self._issuer.sign(account, audiences=audiences, seconds=seconds, **bound)
        spec |= {"audiences": audiences, "expirationSeconds": seconds}
        status = {"token": token, "expirationTimestamp": clock.rfc3339(expires)}
        metadata = {"name": info.name, "namespace": info.namespace, "creationTimestamp": clock.now_rfc3339()}
        answer = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": metadata}
        return json_response({**answer, "spec": spec, "status": status}, CREATED)


def _check_seconds(seconds: int, name: str) -> None:
    why = ""
    if seconds < _SECONDS_MIN:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _SECONDS_MAX:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        cause = Cause("FieldValueInvalid", "spec.expirationSeconds", f"Invalid value: {seconds}: {why}")
        raise errors.invalid("TokenRequest", "authentication.k8s.io", name, [cause])


def _bound_to(call: Call, reference: Obj) -> dict[str, Obj]:
    """The objects that the token ends with, by the parameter that `TokenIssuer.sign` takes them in."""
    if not reference:
        return {}
    kind = _BINDABLE.get(reference.get("kind", ""))
    if kind is None or reference.get("apiVersion", "v1") != "v1":
        raise errors.bad_request(f"cannot bind token to object of type {reference.get('kind')}")
    name = reference.get("name") or ""
    obj = call.reader.get(kind, call.info.namespace if kind.namespaced else "", name)
    if obj is None:
        raise errors.not_found(kind.plural, "", name)
    uid = obj["metadata"].get("uid", "")
    if reference.get("uid") not in (None, "", uid):
        why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
        why += "The object might have been deleted and then recreated"
        raise errors.conflict(kind.plural, "", name, why)
    if kind is not kinds.POD:
        return {kind.kind.lower(): obj}
    spec = obj.get("spec") or {}
    if spec.get("serviceAccountName") != call.info.name:
        account = call.info.name
        text = f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
        raise errors.bad_request(text)
    bound = {"pod": obj}
    node = call.reader.get(kinds.NODE, "", spec.get("nodeName") or "") if spec.get("nodeName") else None
    if node is not None:
        bound["node"] = node
    return bound
