"""ConfigMaps, Secrets, budgets, priorities, roles and workloads: limits to the byte, and what may never change."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api import kinds, quantity
from homeostat.api.errors import Cause, invalid
from homeostat.api.selecting import label_selectors
from tests.support.rules import change_faults, container, faults, named, template, workload

MIB = 1024 * 1024
FROZEN = "Forbidden: field is immutable when `immutable` is set"


def encoded(size):
    return base64.b64encode(b"x" * size).decode()


# Sizes to the byte


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({"data": {"k": "x" * MIB}}, True),
        ({"data": {"k": "x" * (MIB + 1)}}, False),
        ({"data": {"k": "é" * (MIB // 2)}}, True),
        ({"data": {"k": "é" * (MIB // 2) + "x"}}, False),
        ({"data": {"a": "x" * (MIB // 2), "b": "x" * (MIB // 2)}}, True),
        ({"data": {"a": "x" * (MIB // 2), "b": "x" * (MIB // 2 + 1)}}, False),
        ({"binaryData": {"k": encoded(MIB)}}, True),
        ({"binaryData": {"k": encoded(MIB - 1)}}, True),
        ({"binaryData": {"k": encoded(MIB + 1)}}, False),
        ({"data": {"a": "x"}, "binaryData": {"k": encoded(MIB)}}, False),
    ],
)
def test_a_config_map_holds_a_mebibyte(fields, good):
    expected = [] if good else [f": Too long: may not be more than {MIB} bytes"]
    assert faults(kinds.CONFIGMAP, named(kinds.CONFIGMAP, **fields)) == expected


@pytest.mark.parametrize(("size", "good"), [(MIB - 2, True), (MIB - 1, True), (MIB, True), (MIB + 1, False)])
def test_a_secret_holds_a_mebibyte(size, good):
    expected = [] if good else [f"data: Too long: may not be more than {MIB} bytes"]
    assert faults(kinds.SECRET, named(kinds.SECRET, data={"k": encoded(size)})) == expected


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        ("a.b-C_1", []),
        ("x" * 253, []),
        ("x" * 254, ["must be no more than 253 bytes"]),
        (".", ["must not be '.'"]),
        ("..", ["must not be '..'"]),
        ("..secret", ["must not start with '..'"]),
        (".hidden", []),
        ("...", ["must not start with '..'"]),
    ],
)
@pytest.mark.parametrize("where", ["data", "binaryData"])
def test_keys_of_config_maps(where, key, problems):
    obj = named(kinds.CONFIGMAP, **{where: {key: ""}})
    assert faults(kinds.CONFIGMAP, obj) == [f'{where}[{key}]: Invalid value: "{key}": {why}' for why in problems]


def test_a_key_is_in_only_one_of_data_and_binary_data():
    obj = named(kinds.CONFIGMAP, data={"k": "a"}, binaryData={"k": ""})
    assert faults(kinds.CONFIGMAP, obj) == ['data[k]: Invalid value: "k": duplicate of key present in binaryData']


# Immutable


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"data": {"a": "2"}}, ["data"]),
        ({"data": {}}, ["data"]),
        ({"immutable": False}, ["immutable"]),
        ({"immutable": None}, ["immutable"]),
        ({"immutable": None, "data": {"a": "2"}}, ["immutable", "data"]),
    ],
)
@pytest.mark.parametrize("kind", [kinds.CONFIGMAP, kinds.SECRET], ids=["configmap", "secret"])
def test_what_is_immutable_stays(kind, change, expected):
    old = named(kind, data={"a": "MQ=="}, immutable=True)
    assert change_faults(kind, old, lambda obj: obj.update(change)) == [f"{field}: {FROZEN}" for field in expected]


@pytest.mark.parametrize("kind", [kinds.CONFIGMAP, kinds.SECRET], ids=["configmap", "secret"])
def test_what_is_not_immutable_may_become_so(kind):
    old = named(kind, data={"a": "MQ=="})
    both = {"immutable": True, "data": {"b": "MQ=="}}
    assert change_faults(kind, old, lambda obj: obj.update(both)) == []
    labels = {"metadata": {"name": "it", "namespace": "default", "labels": {"a": "b"}}}
    assert change_faults(kind, {**old, "immutable": True}, lambda obj: obj.update(labels)) == []


# Types of Secrets


@pytest.mark.parametrize(
    ("of", "data", "missing"),
    [
        ("kubernetes.io/basic-auth", {"username": ""}, []),
        ("kubernetes.io/basic-auth", {"password": "eA=="}, []),
        ("kubernetes.io/basic-auth", {}, ["data[username]", "data[password]"]),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": "eA=="}, []),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": ""}, ["data[ssh-privatekey]"]),
        ("kubernetes.io/ssh-auth", {}, ["data[ssh-privatekey]"]),
        ("kubernetes.io/tls", {"tls.crt": "", "tls.key": ""}, []),
        ("kubernetes.io/tls", {"tls.crt": "eA=="}, ["data[tls.key]"]),
        ("kubernetes.io/tls", {}, ["data[tls.crt]", "data[tls.key]"]),
        ("kubernetes.io/dockercfg", {}, ["data[.dockercfg]"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "e30="}, []),
        ("bootstrap.kubernetes.io/token", {}, []),
        ("example.com/own", {}, []),
    ],
)
def test_what_a_type_asks_for(of, data, missing):
    found = faults(kinds.SECRET, named(kinds.SECRET, type=of, data=data))
    assert found == [f"{field}: Required value" for field in missing]


@pytest.mark.parametrize("content", ["eA==", "bm8=", ""])
def test_a_docker_configuration_is_json_and_is_not_repeated(content):
    obj = named(kinds.SECRET, type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": content})
    (text,) = faults(kinds.SECRET, obj)
    assert text.startswith('data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": ')


# Budgets and priorities


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 0}, []),
        ({"maxUnavailable": "0%"}, []),
        ({"minAvailable": "100%"}, []),
        ({"minAvailable": -1}, ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]),
        ({"maxUnavailable": "101%"}, ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%']),
        (
            {"minAvailable": 1, "maxUnavailable": 1},
            [
                'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: '
                "minAvailable and maxUnavailable cannot be both set"
            ],
        ),
        (
            {"unhealthyPodEvictionPolicy": "Never"},
            [
                'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": '
                'supported values: "AlwaysAllow", "IfHealthyBudget"'
            ],
        ),
    ],
)
def test_budgets(spec, expected):
    assert faults(kinds.PDB, named(kinds.PDB, spec=spec)) == expected


@pytest.mark.parametrize("text", ["10", "a%", "-1%", "1.5%", "%", "10 %", "0x1%"])
def test_a_text_of_a_budget_is_a_percentage(text):
    (found,) = faults(kinds.PDB, named(kinds.PDB, spec={"maxUnavailable": text}))
    assert found.startswith(f'spec.maxUnavailable: Invalid value: "{text}": a valid percent string must be a numeric')


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("high", 1_000_000_000, []),
        ("low", -2_000_000_000, []),
        (
            "high",
            1_000_000_001,
            ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        ),
        ("system-node-critical", 2_000_001_000, []),
        (
            "system-mine",
            5,
            [
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use "
                "only. error: system-mine is not a known system priority class"
            ],
        ),
    ],
)
def test_priorities(name, value, expected):
    assert faults(kinds.PRIORITYCLASS, named(kinds.PRIORITYCLASS, name, value=value)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"description": "new"}, []),
        ({"globalDefault": True}, []),
        ({"value": 6}, ["value: Forbidden: may not be changed in an update."]),
        ({"preemptionPolicy": "Never"}, ['preemptionPolicy: Invalid value: "Never": field is immutable']),
    ],
)
def test_what_may_change_of_a_priority(change, expected):
    old = named(kinds.PRIORITYCLASS, "high", value=5, preemptionPolicy="PreemptLowerPriority")
    assert change_faults(kinds.PRIORITYCLASS, old, lambda obj: obj.update(change)) == expected


# Workloads


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"replicas": 0, "revisionHistoryLimit": 0, "minReadySeconds": 0}, []),
        ({"replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        ({"minReadySeconds": -1}, ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"]),
        (
            {"minReadySeconds": 600, "progressDeadlineSeconds": 600},
            ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
        ({"strategy": {"type": "Recreate"}}, []),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            [
                "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
            ],
        ),
        (
            {"strategy": {"type": "Canary"}},
            ['spec.strategy.type: Unsupported value: "Canary": supported values: "Recreate", "RollingUpdate"'],
        ),
        ({"strategy": {"rollingUpdate": {"maxSurge": "150%", "maxUnavailable": 0}}}, []),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "120%"}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "120%": must not be greater than 100%'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": -1, "maxUnavailable": 1}}},
            ["spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ],
)
def test_deployments(spec, expected):
    assert faults(kinds.DEPLOYMENT, workload(**spec)) == expected


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "DaemonSet"])
def test_every_rule_of_pods_holds_in_templates_under_their_path(kind):
    of = {"Deployment": kinds.DEPLOYMENT, "ReplicaSet": kinds.REPLICASET, "DaemonSet": kinds.DAEMONSET}[kind]
    bad = template(containers=[container(securityContext={"runAsUser": -1})], hostAliases=[{"ip": "x"}])
    found = faults(of, workload(kind, template=bad))
    assert [text.partition(":")[0] for text in found] == [
        "spec.template.spec.containers[0].securityContext.runAsUser",
        "spec.template.spec.hostAliases[0].ip",
    ]


# The words of a refusal


def test_the_same_fault_is_said_once_and_caused_twice():
    """The message has each text once, the causes all of them (ErrorList.ToAggregate)."""
    twice = Cause("FieldValueInvalid", "metadata.labels", 'Invalid value: "x y": bad')
    error = invalid("Pod", "", "web", [twice, twice])
    assert error.message == 'Pod "web" is invalid: metadata.labels: Invalid value: "x y": bad'
    assert len(error.details["causes"]) == 2
    other = Cause("FieldValueRequired", "spec", "Required value")
    assert invalid("Deployment", "apps", "web", [twice, other, twice]).message == (
        'Deployment.apps "web" is invalid: [metadata.labels: Invalid value: "x y": bad, spec: Required value]'
    )


# Quantities and selectors: arithmetic and round trips

AMOUNTS = st.builds(
    "{}{}".format,
    st.integers(-(10**6), 10**6),
    st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E2"]),
)


@given(AMOUNTS, AMOUNTS)
def test_sums_commute_and_differences_undo_them(left, right):
    one, two = quantity.parse(left), quantity.parse(right)
    assert (one + two).nanos == (two + one).nanos
    assert ((one + two) - two).nanos == one.nanos
    assert (one < two) == (one.nanos < two.nanos)


@given(AMOUNTS)
def test_the_canonical_text_is_a_fixed_point(text):
    canonical = quantity.canonical(text)
    assert quantity.canonical(canonical) == canonical
    assert quantity.parse(canonical).nanos == quantity.parse(text).nanos


@given(AMOUNTS)
def test_rounding_goes_away_from_zero_by_less_than_one(text):
    amount = quantity.parse(text)
    for whole, unit in ((amount.value, quantity.NANO), (amount.milli, quantity.NANO // 1000)):
        assert abs(whole) * unit >= abs(amount.nanos) > (abs(whole) - 1) * unit
        assert whole * amount.nanos >= 0


KEYS = st.sampled_from(["app", "tier", "example.com/zone", "a.b"])
VALUES = st.sampled_from(["", "web", "db", "v1.2", "x_y"])
EXPRESSION = st.one_of(
    st.builds(lambda key, values, negated: {"key": key, "operator": "NotIn" if negated else "In", "values": values},
              KEYS, st.lists(VALUES, min_size=1, max_size=3, unique=True), st.booleans()),
    st.builds(lambda key, operator: {"key": key, "operator": operator},
              KEYS, st.sampled_from(["Exists", "DoesNotExist"])),
)  # fmt: skip
SELECTOR = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(KEYS, VALUES, max_size=2),
        "matchExpressions": st.lists(EXPRESSION, max_size=3),
    },
)
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)


def meets(expression, labels):
    """What an expression says, in one line each."""
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value is None or value not in expression["values"]
        case "Exists":
            return value is not None
    return value is None


@given(SELECTOR, LABELS)
def test_a_selector_means_all_of_its_parts(selector, labels):
    parts = [labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()]
    parts += [meets(expression, labels) for expression in selector.get("matchExpressions", ())]
    compiled = label_selectors.of_label_selector(selector)
    assert compiled.matches(labels) is all(parts)
    assert label_selectors.parse(str(compiled)).matches(labels) is all(parts), "as text it means the same"
    assert compiled.everything is (not parts)
