"""What a client sees of bodies, methods and media types that do not fit: a Status in kube-apiserver's words.

Rules: endpoints/handlers/rest.go (transformDecodeError), negotiation/errors.go, api/errors.NewGenericServerResponse.
"""

from __future__ import annotations

import pytest

from tests.support.api_edge import World, story

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
EVICTION = f"{PODS}/web/eviction"
BINDING = f"{PODS}/web/binding"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/default/token"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
JSON, YAML = "application/json", "application/yaml"
STRUCT = "couldn't get version/kind; json parse error: json: cannot unmarshal"


@pytest.mark.parametrize(
    ("path", "form", "body", "message"),
    [
        (PODS, JSON, b'{"kind":"Service","apiVersion":"v1"}',
         'Service in version "v1" cannot be handled as a Pod: '
         "converting (v1.Service) to (core.Pod): unknown conversion"),
        (ROLES, JSON, b'{"kind":"Deployment","apiVersion":"apps/v1"}',
         'Deployment in version "v1" cannot be handled as a Role: '
         "converting (v1.Deployment) to (rbac.Role): unknown conversion"),
        (PODS, JSON, b'{"kind":"Foo"}',
         'Foo in version "v1" cannot be handled as a Pod: '
         'no kind "Foo" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        (PODS, JSON, b'{"kind":"Pod","apiVersion":"v9"}',
         'Pod in version "v9" cannot be handled as a Pod: '
         'no kind "Pod" is registered for version "v9" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        ("/api/v1/namespaces/default/events", JSON, b'{"kind":"Event","apiVersion":"events.k8s.io/v1"}',
         "the API version in the data (events.k8s.io/v1) does not match the expected API version (v1)"),
        (PODS, JSON, b'{"kind":7}',
         f"the object provided is unrecognized (must be of type Pod): {STRUCT} number into Go struct field .kind "
         'of type string ({"kind":7})'),
        (PODS, JSON, b"[1]",
         f"the object provided is unrecognized (must be of type Pod): {STRUCT} array into Go value of type struct "
         "(5b315d)"),
        (PODS, YAML, b"a: [",
         "the object provided is unrecognized (must be of type Pod): error converting YAML to JSON: "),
        (PODS, JSON, b"", "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; "),
        (REVIEWS, JSON, b'{"spec":{"user":["u"]}}',
         'SubjectAccessReview in version "v1" cannot be handled as a SubjectAccessReview: '
         "json: cannot unmarshal array into Go struct field SubjectAccessReviewSpec.spec.user of type string"),
        (REVIEWS, JSON, b'{"spec":{"extra":{"k":"v"}}}', 'SubjectAccessReview in version "v1" cannot be handled as a '),
        (TOKENS, JSON, b'{"spec":{"token":{}}}', 'TokenReview in version "v1" cannot be handled as a TokenReview: '),
        (EVICTION, JSON, b'{"deleteOptions":7}', 'Eviction in version "v1" cannot be handled as a Eviction: '),
        (EVICTION, JSON, b'{"deleteOptions":{"preconditions":"x"}}', 'Eviction in version "v1" cannot be handled as '),
        (BINDING, JSON, b'{"target":["n"]}', 'Binding in version "v1" cannot be handled as a Binding: '),
        (BINDING, JSON, b'{"metadata":{"annotations":{"a":1}},"target":{"name":"n"}}', 'Binding in version "v1" '),
        (TOKEN, JSON, b'{"spec":{"audiences":"a"}}', 'TokenRequest in version "v1" cannot be handled as a '),
        (TOKEN, JSON, b'{"spec":{"expirationSeconds":"1"}}', 'TokenRequest in version "v1" cannot be handled as a '),
        (TOKEN, JSON, b'{"kind":"Pod"}', 'Pod in version "v1" cannot be handled as a TokenRequest: no kind '),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit(path, form, body, message):
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("web")
        reply = await w.call("POST", path, body, headers={"content-type": form})
        assert (reply.status, reply.obj["reason"], reply.obj["kind"]) == (400, "BadRequest", "Status")
        assert reply.message.startswith(message) or message == reply.message, reply.message

    story(scenario)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"gracePeriodSeconds":"soon"}', 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: '),
        (b'{"preconditions":["u"]}', 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: '),
        (b'{"dryRun":"All"}', 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: '),
        (b'{"kind":"Pod","apiVersion":"v1"}', 'Pod in version "v1" cannot be handled as a DeleteOptions: '),
        (b"[]", "the object provided is unrecognized (must be of type DeleteOptions): "),
    ],
)
def test_delete_options_that_do_not_fit(body, message):
    async def scenario(w: World) -> None:
        await w.make(MAPS, {"metadata": {"name": "m"}})
        reply = await w.call("DELETE", f"{MAPS}/m", body)
        assert (reply.status, reply.obj["reason"]) == (400, "BadRequest")
        assert reply.message.startswith(message), reply.message
        assert (await w.get(f"{MAPS}/m")).status == 200

    story(scenario)


@pytest.mark.parametrize("version", ["v1", "meta.k8s.io/v1", "apps/v1", "policy/v1"])
def test_delete_options_of_any_group_are_taken(version):
    async def scenario(w: World) -> None:
        await w.make(MAPS, {"metadata": {"name": "m"}})
        options = {"kind": "DeleteOptions", "apiVersion": version, "propagationPolicy": "Background"}
        assert (await w.call("DELETE", f"{MAPS}/m", options)).status == 200

    story(scenario)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", MAPS), ("PATCH", MAPS), ("POST", f"{MAPS}/m"), ("DELETE", TOKEN), ("GET", EVICTION), ("PROPFIND", MAPS),
     ("GET", REVIEWS), ("DELETE", "/api/v1/componentstatuses/etcd-0"), ("POST", "/apis/apps/v1")],
)  # fmt: skip
def test_a_method_that_a_path_does_not_have(method, path):
    async def scenario(w: World) -> None:
        reply = await w.call(method, path, {} if method != "GET" else None)
        assert (reply.status, reply.obj["reason"], reply.obj["code"]) == (405, "MethodNotAllowed", 405)
        assert reply.message == "the server does not allow this method on the requested resource"

    story(scenario)


@pytest.mark.parametrize(
    ("verb", "kind"), [("POST", "CreateOptions"), ("PUT", "UpdateOptions"), ("PATCH", "PatchOptions")]
)
def test_wrong_options_name_the_verb(verb, kind):
    async def scenario(w: World) -> None:
        await w.make(MAPS, {"metadata": {"name": "m"}})
        path = MAPS if verb == "POST" else f"{MAPS}/m"
        headers = {"content-type": "application/merge-patch+json" if verb == "PATCH" else JSON}
        reply = await w.call(verb, f"{path}?dryRun=Some", {"metadata": {"name": "m"}}, headers=headers)
        assert (reply.status, reply.obj["reason"]) == (422, "Invalid")
        assert reply.message.startswith(f'{kind}.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some"')

    story(scenario)


@pytest.mark.parametrize(
    ("how", "status", "warning"),
    [("", 201, '299 - "unknown field \\"spec.nope\\""'), ("Ignore", 201, None), ("Strict", 400, None)],
)
def test_unknown_fields_of_a_review_are_warned_of_or_refused(how, status, warning):
    """Field validation is that of every create, of what is never stored too."""

    async def scenario(w: World) -> None:
        body = {"spec": {"user": "u", "nope": 1, "resourceAttributes": {"verb": "get", "resource": "pods"}}}
        reply = await w.post(REVIEWS + (f"?fieldValidation={how}" if how else ""), body)
        assert (reply.status, reply.headers.get("warning")) == (status, warning)

    story(scenario)


def test_a_warning_writes_no_header_of_its_own():
    """A warning with control characters is left out (net.NewWarningHeader); the others stay."""

    async def scenario(w: World) -> None:
        body = {"metadata": {"name": "m"}, "a\r\nX-Injected: 1": 1, "fine": 1}
        reply = await w.post(MAPS, body)
        assert (reply.status, reply.headers["warning"]) == (201, '299 - "unknown field \\"fine\\""')

    story(scenario)
