"""Bodies in protobuf, as kubectl 1.32 and other Go clients send them."""

from __future__ import annotations

import pytest

from homeostat.api.errors import ApiError
from homeostat.apiserver.bodies.protobuf import MEDIA_TYPE, decode
from tests.support.api_edge import World, story

# What `kubectl auth can-i list pods` sends.
CAN_I = (
    b'k8s\x00\n2\n\x17authorization.k8s.io/v1\x12\x17SelfSubjectAccessReview\x12=\n\x10\n\x00\x12\x00\x1a\x00"\x00'
    b'*\x002\x008\x00B\x00\x12\x1f\n\x1d\n\x07default\x12\x04list\x1a\x00"\x00*\x04pods2\x00:\x00\x1a\x08\x08\x00\x12'
    b'\x00\x1a\x00 \x00\x1a\x00"\x00'
)


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return out + bytes((number,))


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(api_version: str, kind: str, *fields: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(fields))


def named(name: str, *more: bytes) -> bytes:
    return field(1, field(1, name) + field(2, "") + field(8, b"") + b"".join(more))


def test_what_kubectl_sends_is_read_without_the_zeros_that_mean_nothing():
    review = decode(CAN_I)
    assert (review["apiVersion"], review["kind"]) == ("authorization.k8s.io/v1", "SelfSubjectAccessReview")
    assert review["spec"] == {"resourceAttributes": {"namespace": "default", "verb": "list", "resource": "pods"}}

    async def scenario(w: World) -> None:
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        headers = {"content-type": MEDIA_TYPE, "accept": f"{MEDIA_TYPE},application/json"}
        reply = await w.post(path, CAN_I, headers=headers)
        assert reply.status == 201 and reply.obj["status"]["allowed"]

    story(scenario)


def test_maps_bytes_lists_and_optional_zeros():
    labels = field(11, field(1, "app") + field(2, "web"))
    data = field(2, field(1, "k") + field(2, b"\x00\xff"))
    secret = decode(body("v1", "Secret", named("s", labels), data, field(3, "Opaque"), field(5, 0)))
    assert secret["metadata"] == {"name": "s", "labels": {"app": "web"}}
    assert (secret["data"], secret["type"], secret["immutable"]) == ({"k": "AP8="}, "Opaque", False)


def test_quantities_numbers_or_texts_times_and_inlined_messages():
    request = field(2, field(1, "cpu") + field(2, field(1, "500m")))
    handler = field(1, field(2, field(1, "/healthz") + field(2, field(1, 1) + field(2, 0) + field(3, "http"))))
    probe = field(11, handler + field(2, 3))
    environment = field(19, field(2, field(1, field(1, "settings"))))
    container = field(2, field(1, "app") + field(8, request) + probe + environment)
    volume = field(1, field(1, "tmp") + field(2, field(2, field(1, ""))))
    toleration = field(22, field(1, "k") + field(5, -1))
    created = field(8, field(1, 1_800_000_000))
    pod = decode(body("v1", "Pod", field(1, field(1, "p") + created), field(2, volume + container + toleration)))
    spec = pod["spec"]
    assert pod["metadata"]["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert spec["tolerations"] == [{"key": "k", "tolerationSeconds": -1}]
    (app,) = spec["containers"]
    assert app["resources"] == {"requests": {"cpu": "500m"}}
    assert app["readinessProbe"] == {"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 3}
    assert app["envFrom"] == [{"configMapRef": {"name": "settings"}}]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{}", "does not begin with k8s"),
        (b"k8s\x00", "is no kind that is served"),
        (CAN_I[:-30], "cut short"),
        (body("v9", "Pod", named("p")), "v9 Pod is no kind that is served"),
        (body("v1", "ConfigMap", named("c"), field(99, "x")), "field 99 of core.v1.ConfigMap is not known here"),
        (body("v1", "ConfigMap", field(1, 7)), "a message or text is expected"),
        (body("v1", "Secret", named("s"), field(3, b"\xff\xfe")), "cannot be decoded"),
        (b"k8s\x00" + b"\xff" * 30, "cut short"),
    ],
)
def test_what_cannot_be_read_is_refused_by_what_is_wrong(raw, words):
    with pytest.raises(ApiError) as refusal:
        decode(raw)
    assert refusal.value.code == 400 and words in refusal.value.message
