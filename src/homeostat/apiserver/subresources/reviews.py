"""Reviews: SelfSubjectReview, the access reviews, TokenReview. Nothing is stored.

Rules: pkg/registry/authorization and pkg/registry/authentication.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import errors, kinds
from homeostat.api.errors import qualified
from homeostat.api.types import Obj
from homeostat.apiserver.authn.authentication import BearerTokens, user_info
from homeostat.apiserver.authn.service_account_tokens import BadToken
from homeostat.apiserver.authz.node_authorizer import node_of
from homeostat.apiserver.authz.rbac import Rbac
from homeostat.apiserver.authz.rbac_rules import Rule
from homeostat.apiserver.contract import Authorizer, Call, RequestInfo, SubresourceHandler
from homeostat.apiserver.describe.etag_documents import json_response
from homeostat.apiserver.subresources.exchange import CREATED, body_of
from homeostat.wire.message import Response, User


class Reviews:
    """Answers from the same authorizer and tokens that guard the request path."""

    def __init__(self, authorizer: Authorizer, rbac: Rbac, tokens: BearerTokens) -> None:
        self._authorizer = authorizer
        self._rbac = rbac
        self._tokens = tokens

    def handlers(self) -> Mapping[tuple[str, str], SubresourceHandler]:
        """The handlers by resource, as `contract.Parts` wants them."""
        pairs = (
            (kinds.SELFSUBJECTREVIEW, self.self_subject),
            (kinds.TOKENREVIEW, self.token),
            (kinds.SELFSUBJECTACCESSREVIEW, self.self_access),
            (kinds.SUBJECTACCESSREVIEW, self.access),
            (kinds.LOCALSUBJECTACCESSREVIEW, self.local_access),
            (kinds.SELFSUBJECTRULESREVIEW, self.self_rules),
        )
        return {(qualified(kind.plural, kind.group), ""): handler for kind, handler in pairs}

    async def self_subject(self, call: Call) -> Response:
        """Who the server thinks the client is."""
        review = body_of(call)
        return _answer(call, review, {"userInfo": user_info(call.user)})

    async def token(self, call: Call) -> Response:
        """Whose token this is."""
        review = body_of(call)
        spec = review.get("spec") or {}
        token = spec.get("token") or ""
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        audiences = tuple(spec.get("audiences") or ())
        try:
            user, fitting = self._tokens.review(token, audiences=audiences)
        except BadToken as error:
            return _answer(call, review, {"user": {}, "error": str(error)})
        status: Obj = {"authenticated": True, "user": user_info(user)}
        if fitting:
            status["audiences"] = list(fitting)
        return _answer(call, review, status)

    async def self_access(self, call: Call) -> Response:
        """May I."""
        review = body_of(call)
        return self._access(call, review, call.user)

    async def access(self, call: Call) -> Response:
        """May they."""
        review = body_of(call)
        return self._access(call, review, _subject(review))

    async def local_access(self, call: Call) -> Response:
        """May they, in this namespace."""
        review = body_of(call)
        asked = (review.get("spec") or {}).get("resourceAttributes") or {}
        namespace = asked.get("namespace") or ""
        if namespace != call.info.namespace:
            text = f"spec.resourceAttributes.namespace must match namespace: {call.info.namespace}"
            raise errors.bad_request(text)
        return self._access(call, review, _subject(review))

    async def self_rules(self, call: Call) -> Response:
        """What I may do in a namespace (`kubectl auth can-i --list`)."""
        review = body_of(call)
        namespace = (review.get("spec") or {}).get("namespace") or ""
        if not namespace:
            raise errors.bad_request("no namespace on request")
        rules = self._rbac.rules(call.user, namespace)
        status: Obj = {
            "resourceRules": [_resource_rule(rule) for rule in rules if rule.resources],
            "nonResourceRules": [
                {"verbs": sorted(rule.verbs), "nonResourceURLs": list(rule.urls)} for rule in rules if rule.urls
            ],
            "incomplete": False,
        }
        if node_of(call.user) is not None:
            # What a node may read depends on its Pods.
            status |= {"incomplete": True, "evaluationError": "node authorizer does not support user rule resolution"}
        return _answer(call, review, status)

    def _access(self, call: Call, review: Obj, user: User) -> Response:
        info = _asked(review.get("spec") or {})
        allowed, reason = self._authorizer.allowed(user, info)
        status: Obj = {"allowed": allowed}
        if reason:
            status["reason"] = reason
        return _answer(call, review, status)


def _asked(spec: Obj) -> RequestInfo:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        raise errors.bad_request("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if resource is None:
        path = path or {}
        return RequestInfo(path.get("verb") or "", path.get("path") or "")
    selected = _selected(resource.get("fieldSelector") or {})
    return RequestInfo(
        resource.get("verb") or "",
        "",
        is_resource=True,
        group=resource.get("group") or "",
        version=resource.get("version") or "",
        resource=resource.get("resource") or "",
        subresource=resource.get("subresource") or "",
        namespace=resource.get("namespace") or "",
        name=resource.get("name") or selected.get("metadata.name", ""),
        node=selected.get("spec.nodeName", ""),
    )


def _selected(selector: Obj) -> dict[str, str]:
    """The fields that a field selector asks to have one value each (FieldSelectorAttributes)."""
    wanted = selector.get("requirements") or ()
    single = [each for each in wanted if each.get("operator") == "In" and len(each.get("values") or ()) == 1]
    found = {each.get("key", ""): each["values"][0] for each in single}
    for term in (selector.get("rawSelector") or "").split(","):
        field, equals, value = term.partition("=")
        if equals and not field.endswith("!"):
            found[field] = value.removeprefix("=")
    return found


def _subject(review: Obj) -> User:
    spec = review.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        raise errors.bad_request("at least one of user or group must be specified")
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _resource_rule(rule: Rule) -> Obj:
    shown: Obj = {
        "verbs": sorted(rule.verbs),
        "apiGroups": sorted(rule.groups),
        "resources": sorted(rule.resources),
    }
    if rule.names:
        shown["resourceNames"] = sorted(rule.names)
    return shown


def _answer(call: Call, review: Obj, status: Obj) -> Response:
    kind = call.info.kind
    assert kind is not None  # handlers() names resources that exist
    metadata = {"creationTimestamp": None, **(review.get("metadata") or {})}
    answer: Obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    if "spec" in review:
        answer["spec"] = review["spec"]
    return json_response({**answer, "status": status}, CREATED)
