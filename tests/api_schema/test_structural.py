"""Decoding: what kube-apiserver's typed decoding refuses, drops and puts right."""

import copy

import orjson
import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, CRD, DEPLOYMENT, EVENT, LEASE, POD, ROLE, SECRET, SERVICE
from homeostat.api.shape.structural import conform

of = Catalogue.builtin().resource


def deployment(**spec):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template} | spec
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_a_good_object_is_left_as_it_is():
    obj = deployment(replicas=2)
    before = copy.deepcopy(obj)
    findings = conform(of(DEPLOYMENT), obj, field_validation="Strict", body=orjson.dumps(obj))
    assert (findings.problems, findings.missing) == ([], [])
    assert obj == before


def test_a_wrong_type_is_refused_in_the_decoders_words():
    with pytest.raises(ApiError) as refused:
        conform(of(DEPLOYMENT), deployment(replicas="two"))
    assert refused.value.code == 400
    assert refused.value.reason == "BadRequest"
    assert refused.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: '
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(image=5), "number into Go struct field Container.spec.containers.image of type string"),
        (lambda c: c.update(env={}), "object into Go struct field Container.spec.containers.env of type []v1.EnvVar"),
        (lambda c: c.update(stdin="yes"), "string into Go struct field Container.spec.containers.stdin of type bool"),
        (
            lambda c: c.update(ports=[{"containerPort": 3_000_000_000}]),
            "number 3000000000 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            lambda c: c.update(ports=[{"containerPort": 1.5}]),
            "number 1.5 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            lambda c: c.update(livenessProbe={"httpGet": {"port": True}}),
            "json: cannot unmarshal bool into Go value of type int32",
        ),
        (lambda c: c.update(resources={"limits": {"cpu": "much"}}), "quantities must match the regular expression"),
    ],
)
def test_each_wrong_type_names_its_place(change, words):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
    change(pod["spec"]["containers"][0])
    with pytest.raises(ApiError, match="cannot be handled as a Pod") as refused:
        conform(of(POD), pod)
    assert words in refused.value.message


def test_a_label_must_be_text():
    obj = {"metadata": {"name": "c", "labels": {"n": 1}}}
    with pytest.raises(ApiError) as refused:
        conform(of(CONFIGMAP), obj)
    assert refused.value.message.endswith(
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
    )


def test_unknown_fields_are_dropped_and_reported():
    obj = deployment(replica=3)
    obj["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    findings = conform(of(DEPLOYMENT), obj, field_validation="Warn")
    assert findings.problems == [
        'unknown field "spec.template.spec.containers[0].imag"',
        'unknown field "spec.replica"',
    ]
    assert obj == deployment()


def test_strict_refuses_unknown_fields():
    with pytest.raises(ApiError) as refused:
        conform(of(DEPLOYMENT), deployment(foo=1), field_validation="Strict")
    assert refused.value.code == 400
    assert refused.value.message.endswith('strict decoding error: unknown field "spec.foo"')


def test_ignore_drops_unknown_fields_without_a_word():
    obj = deployment(foo=1)
    assert conform(of(DEPLOYMENT), obj, field_validation="Ignore").problems == []
    assert "foo" not in obj["spec"]


def test_duplicate_fields_are_found_in_the_body():
    body = b'{"metadata":{"name":"c"},"data":{"a":"1","b":"2","a":"3"}, "data":{"a":"1","a":"2"}}'
    findings = conform(of(CONFIGMAP), orjson.loads(body), field_validation="Warn", body=body)
    assert findings.problems == ['duplicate field "data"', 'duplicate field "data.a"']


def test_a_body_in_another_layout_has_no_duplicates():
    body = b'{ "metadata" : {"name": "c\\u00e9"},\n "data": {"a": "\\u003cx\\u003e"} }\n'
    assert conform(of(CONFIGMAP), orjson.loads(body), field_validation="Strict", body=body).problems == []


def test_nulls_are_as_if_they_were_not_there():
    obj = deployment(replicas=None, strategy=None)
    obj["metadata"]["creationTimestamp"] = None
    conform(of(DEPLOYMENT), obj)
    assert obj == deployment()


def test_a_null_in_a_map_or_list_is_the_zero_value():
    obj = {"metadata": {"name": "p", "labels": {"a": None}}, "spec": {"containers": [{"name": "c", "args": [None]}]}}
    conform(of(POD), obj)
    assert obj["metadata"]["labels"] == {"a": ""}
    assert obj["spec"]["containers"][0]["args"] == [""]


def test_empty_optional_lists_and_maps_go_but_empty_objects_stay():
    obj = {"metadata": {"name": "p", "labels": {}, "finalizers": []}, "spec": {"containers": [{"name": "c"}]}}
    obj["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    obj["spec"]["nodeSelector"] = {}
    conform(of(POD), obj)
    assert obj["metadata"] == {"name": "p"}
    assert obj["spec"] == {"containers": [{"name": "c"}], "volumes": [{"name": "v", "emptyDir": {}}]}


def test_quantities_take_their_canonical_form():
    resources = {"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": 0.5, "memory": "128Mi"}}
    obj = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": resources}]}}
    conform(of(POD), obj)
    assert resources["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert resources["requests"] == {"cpu": "500m", "memory": "128Mi"}


def test_ports_may_be_numbers_or_names():
    ports = [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8081}]
    obj = {"metadata": {"name": "s"}, "spec": {"ports": copy.deepcopy(ports)}}
    conform(of(SERVICE), obj)
    assert obj["spec"]["ports"] == ports


def test_times_are_put_into_utc():
    obj = {"metadata": {"name": "l"}, "spec": {"renewTime": "2026-01-01T02:00:00.5+02:00"}}
    obj["metadata"]["creationTimestamp"] = "2026-01-01T02:00:00.999999999+02:00"
    conform(of(LEASE), obj)
    assert obj["spec"]["renewTime"] == "2026-01-01T00:00:00.500000Z"
    assert obj["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ApiError, match="parsing time"):
        conform(of(LEASE), {"metadata": {"creationTimestamp": text}})


def test_secrets_hold_base64():
    conform(of(SECRET), {"metadata": {"name": "s"}, "data": {"a": "aGVsbG8="}})
    with pytest.raises(ApiError, match="illegal base64 data at input byte 4"):
        conform(of(SECRET), {"metadata": {"name": "s"}, "data": {"a": "abcd!"}})


def test_required_fields_are_named_by_their_path():
    obj = {"metadata": {"name": "p"}, "spec": {"containers": [{"image": "i"}, {"name": "", "env": [{"value": "x"}]}]}}
    missing = conform(of(POD), obj).missing
    assert sorted(cause.field for cause in missing) == [
        "spec.containers[0].name",
        "spec.containers[1].env[0].name",
        "spec.containers[1].name",
    ]
    assert {(cause.reason, cause.message) for cause in missing} == {("FieldValueRequired", "Required value")}


def test_a_deployment_needs_a_selector_and_a_pod_needs_containers():
    obj = {"metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": []}}}}
    assert [cause.field for cause in conform(of(DEPLOYMENT), obj).missing] == [
        "spec.template.spec.containers",
        "spec.selector",
    ]


def test_what_go_only_writes_is_not_asked_of_users():
    assert conform(of(ROLE), {"metadata": {"name": "r"}}).missing == []
    assert conform(of(EVENT), {"metadata": {"name": "e"}}).missing == []


def test_free_form_fields_keep_everything():
    schema = {"type": "object", "properties": {"spec": {"type": "object", "default": {"a": [1, None]}}}}
    names = {"plural": "foos", "kind": "Foo"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]}
    obj = {"metadata": {"name": "foos.example.com", "managedFields": [{"fieldsV1": {"f:a": {"x": 1}}}]}, "spec": spec}
    before = copy.deepcopy(obj)
    assert conform(of(CRD), obj, field_validation="Strict").problems == []
    assert obj == before


def test_decoding_twice_changes_nothing_more():
    obj = deployment(replicas=None, foo=1)
    conform(of(DEPLOYMENT), obj)
    once = copy.deepcopy(obj)
    conform(of(DEPLOYMENT), obj)
    assert obj == once


def test_a_repeated_spec_is_recognised_and_its_mistakes_are_reported_each_time():
    def pod(container, **spec):
        obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
        obj |= {"spec": {"containers": [container], **spec}}
        return obj, orjson.dumps(obj)

    good = {"name": "c", "image": "i"}
    for _ in range(2):
        obj, body = pod(good, hostNetwrk=True)
        found = conform(of(POD), obj, field_validation="Warn", body=body)
        assert found.problems == ['unknown field "spec.hostNetwrk"']
        assert "hostNetwrk" not in obj["spec"]
        obj, body = pod(good | {"resources": {"limits": {"cpu": "1000m"}}})
        conform(of(POD), obj, body=body)
        assert obj["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "1"
        obj, body = pod({"image": "i"})
        assert [cause.field for cause in conform(of(POD), obj, body=body).missing] == ["spec.containers[0].name"]
        with pytest.raises(ApiError):
            conform(of(POD), *pod("none")[:1], body=b"{}")
        obj, body = pod(good)
        conform(of(POD), obj, body=body)
        # Not from JSON: its text would not distinguish this list from no list.
        obj, _ = pod(good, tolerations=float("nan"))
        with pytest.raises(ApiError):
            conform(of(POD), obj)
