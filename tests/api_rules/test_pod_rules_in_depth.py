"""Containers, ports, resources, volumes and placement of Pods: the corners of ValidatePodSpec, one row a case."""

import pytest

from homeostat.api import kinds
from tests.support.rules import change_faults, container, faults, pod

EXEC = {"exec": {"command": ["true"]}}
RESTART_NEEDED = "may not be set for init containers without restartPolicy=Always"


def spec_faults(**spec):
    return faults(kinds.POD, pod(**spec))


def app_faults(**fields):
    """Faults of one container, without the path to it."""
    return [text.removeprefix("spec.containers[0].") for text in spec_faults(containers=[container(**fields)])]


# Ports


def ports(*numbers, **fields):
    return [{"containerPort": number, "hostPort": number, **fields} for number in numbers]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ({}, {}, True),
        ({"protocol": "TCP"}, {}, True),
        ({"protocol": "UDP"}, {}, False),
        ({"hostIP": "10.0.0.1"}, {"hostIP": "10.0.0.2"}, False),
        ({"hostIP": "10.0.0.1"}, {"hostIP": "10.0.0.1"}, True),
        ({"hostIP": "10.0.0.1", "protocol": "SCTP"}, {"hostIP": "10.0.0.1", "protocol": "TCP"}, False),
    ],
)
def test_a_host_port_is_used_once_in_all_containers(first, second, clash):
    both = [container("a", ports=ports(80, **first)), container("b", ports=ports(80, **second))]
    found = spec_faults(containers=both)
    assert [text.startswith("spec.containers[1].ports[0].hostPort: Duplicate value") for text in found] == [
        True
    ] * clash


def test_init_containers_may_use_the_same_host_port_one_after_the_other():
    inits = [container("one", ports=ports(80)), container("two", ports=ports(80))]
    assert spec_faults(initContainers=inits, containers=[container(ports=ports(80))]) == []
    assert spec_faults(initContainers=[container("one", ports=ports(80, 80))]) == [
        'spec.initContainers[0].ports[1].hostPort: Duplicate value: "TCP//80"'
    ]


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("http", []),
        ("a-1", []),
        ("x" * 15, []),
        ("x" * 16, ["must be no more than 15 bytes"]),
        ("Http", ["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
        ("80", ["must contain at least one letter (a-z)"]),
        ("a--b", ["must not contain consecutive hyphens"]),
        ("-a", ["must not begin or end with a hyphen"]),
        ("a-", ["must not begin or end with a hyphen"]),
    ],
)
def test_names_of_ports(name, problems):
    found = app_faults(ports=[{"containerPort": 1, "name": name}])
    assert found == [f'ports[0].name: Invalid value: "{name}": {why}' for why in problems]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, []),
        (65535, []),
        (65536, ["ports[0].hostPort: Invalid value: 65536: must be between 1 and 65535, inclusive"]),
        (-1, ["ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive"]),
    ],
)
def test_numbers_of_host_ports(number, expected):
    assert app_faults(ports=[{"containerPort": 1, "hostPort": number}]) == expected


def test_two_containers_may_name_their_ports_alike():
    both = [container("a", ports=[{"containerPort": 1, "name": "web"}]) for _ in range(1)]
    both.append(container("b", ports=[{"containerPort": 2, "name": "web"}]))
    assert spec_faults(containers=both) == []


# Probes and hooks


@pytest.mark.parametrize("field", ["livenessProbe", "readinessProbe", "startupProbe"])
@pytest.mark.parametrize(
    "number", ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
)
def test_no_number_of_a_probe_is_negative(field, number):
    found = app_faults(**{field: {**EXEC, number: -1}})
    assert f"{field}.{number}: Invalid value: -1: must be greater than or equal to 0" in found


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("livenessProbe", ["livenessProbe.successThreshold: Invalid value: 3: must be 1"]),
        ("startupProbe", ["startupProbe.successThreshold: Invalid value: 3: must be 1"]),
        ("readinessProbe", []),
    ],
)
def test_only_readiness_counts_successes(field, expected):
    assert app_faults(**{field: {**EXEC, "successThreshold": 3}}) == expected


@pytest.mark.parametrize(
    ("field", "seconds", "expected"),
    [
        ("livenessProbe", 1, []),
        ("startupProbe", 30, []),
        ("livenessProbe", 0, ["Invalid value: 0: must be greater than 0"]),
        ("startupProbe", -3, ["Invalid value: -3: must be greater than 0"]),
        ("readinessProbe", 5, ["Invalid value: 5: must not be set for readinessProbes"]),
    ],
)
def test_a_probes_own_grace(field, seconds, expected):
    found = app_faults(**{field: {**EXEC, "terminationGracePeriodSeconds": seconds}})
    assert found == [f"{field}.terminationGracePeriodSeconds: {text}" for text in expected]


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ({"httpGet": {"port": "web", "httpHeaders": [{"name": "X-Ok", "value": "1"}]}}, []),
        (
            {"httpGet": {"port": 80, "httpHeaders": [{"name": "", "value": "1"}]}},
            [".httpGet.httpHeaders[0].name: Required value"],
        ),
        ({"httpGet": {"port": 65536}}, [".httpGet.port: Invalid value: 65536: must be between 1 and 65535, inclusive"]),
        ({"tcpSocket": {"port": 0}}, [".tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        (
            {"tcpSocket": {"port": "12"}},
            ['.tcpSocket.port: Invalid value: "12": must contain at least one letter (a-z)'],
        ),
        ({"grpc": {"port": -1}}, [".grpc.port: Invalid value: -1: must be between 1 and 65535, inclusive"]),
        ({"grpc": {"port": 9, "service": ""}}, []),
        (
            {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}, "grpc": {"port": 1}},
            [
                ".tcpSocket: Forbidden: may not specify more than 1 handler type",
                ".grpc: Forbidden: may not specify more than 1 handler type",
            ],
        ),
    ],
)
def test_handlers_of_probes(handler, expected):
    assert app_faults(readinessProbe=handler) == [f"readinessProbe{text}" for text in expected]


def test_a_header_of_a_probe_has_a_name_that_http_allows():
    (text,) = app_faults(livenessProbe={"httpGet": {"port": 1, "httpHeaders": [{"name": "a b", "value": "x"}]}})
    assert text.startswith('livenessProbe.httpGet.httpHeaders[0].name: Invalid value: "a b": a valid HTTP header')


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ({"exec": {"command": ["x"]}}, []),
        ({"httpGet": {"port": 80}}, []),
        ({"sleep": {"seconds": 0}}, []),
        ({"exec": {}}, [".exec.command: Required value"]),
        ({}, [": Required value: must specify a handler type"]),
        ({"grpc": {"port": 1}}, [": Required value: must specify a handler type"]),
        (
            {"exec": {"command": ["x"]}, "sleep": {"seconds": 1}},
            [".sleep: Forbidden: may not specify more than 1 handler type"],
        ),
    ],
)
@pytest.mark.parametrize("when", ["preStop", "postStart"])
def test_hooks(when, hook, expected):
    assert app_faults(lifecycle={when: hook}) == [f"lifecycle.{when}{text}" for text in expected]


@pytest.mark.parametrize("field", ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"])
def test_only_sidecars_among_the_init_containers_are_probed(field):
    value = {"preStop": EXEC} if field == "lifecycle" else EXEC
    plain, sidecar = container("first", **{field: value}), container("first", restartPolicy="Always", **{field: value})
    assert spec_faults(initContainers=[plain]) == [f"spec.initContainers[0].{field}: Forbidden: {RESTART_NEEDED}"]
    assert spec_faults(initContainers=[sidecar]) == []


# Resources


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"requests": {"cpu": "0"}, "limits": {"cpu": "0"}}, []),
        ({"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}, []),
        ({"limits": {"ephemeral-storage": "1Gi"}}, []),
        (
            {"requests": {"cpu": "-100m"}},
            ['requests[cpu]: Invalid value: "-100m": must be greater than or equal to 0'],
        ),
        (
            {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}},
            ['requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi'],
        ),
        (
            {"limits": {"storage": "1Gi"}},
            ['limits[storage]: Invalid value: "storage": must be a standard resource for containers'],
        ),
        (
            {"limits": {"pods": "1"}},
            ['limits[pods]: Invalid value: "pods": must be a standard resource for containers'],
        ),
        # Extended resources are whole, and asked for exactly as they are limited.
        (
            {"limits": {"example.com/gpu": "2"}, "requests": {"example.com/gpu": "1"}},
            ['requests: Invalid value: "1": must be equal to example.com/gpu limit of 2'],
        ),
        (
            {"limits": {"example.com/gpu": "1"}, "requests": {"example.com/gpu": "2"}},
            ['requests: Invalid value: "2": must be equal to example.com/gpu limit of 1'],
        ),
        ({"limits": {"example.com/gpu": "1"}}, []),
        # Huge pages cannot be overcommitted, and need other memory or cpu.
        ({"limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi"}, "requests": {"hugepages-2Mi": "4Mi"}}, []),
        (
            {"limits": {"hugepages-2Mi": "4Mi", "cpu": "1"}, "requests": {"hugepages-2Mi": "2Mi"}},
            ['requests: Invalid value: "2Mi": must be equal to hugepages-2Mi limit of 4Mi'],
        ),
        (
            {"requests": {"hugepages-2Mi": "2Mi", "cpu": "1"}},
            ["limits: Required value: Limit must be set for non overcommitable resources"],
        ),
        ({"limits": {"hugepages-1Gi": "1Gi"}}, [": Forbidden: HugePages require cpu or memory"]),
    ],
)
def test_resources_of_containers(resources, expected):
    found = app_faults(resources=resources)
    assert [text.removeprefix("resources").removeprefix(".") for text in found] == expected


def test_a_resources_name_is_qualified():
    first, *_ = app_faults(resources={"limits": {"bad_/x y": "1"}})
    assert first.startswith('resources.limits[bad_/x y]: Invalid value: "bad_/x y": ')


# Environment


@pytest.mark.parametrize(
    ("name", "good"),
    [("A", True), ("a.b-c_d", True), ("1A", True), ("A B", True), ("!", True), ("A=B", False), ("é", False)],
)
def test_a_variables_name_is_printable_without_an_equals_sign(name, good):
    assert (app_faults(env=[{"name": name}]) == []) is good


@pytest.mark.parametrize(
    "field",
    [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.labels['app']",
        "metadata.annotations['example.com/x']",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ],
)
def test_fields_that_a_variable_may_show(field):
    assert app_faults(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": field}}}]) == []


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("", "Required value"),
        ("metadata.labels", "Unsupported value"),
        ("status.phase", "Unsupported value"),
        ("spec.containers", "Unsupported value"),
        ("metadata.labels['-']", "Invalid value"),
        ("kind", "field label not supported: kind"),
    ],
)
def test_fields_that_a_variable_may_not_show(field, words):
    (text,) = app_faults(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": field}}}])
    assert text.startswith("env[0].valueFrom.fieldRef.fieldPath: ") and words in text


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.b_c-D", []),
        (".", ["must not be '.'"]),
        ("..", ["must not be '..'"]),
        ("..a", ["must not start with '..'"]),
    ],
)
def test_keys_of_maps_are_file_names(key, expected):
    source = {"configMapKeyRef": {"name": "c", "key": key}}
    found = app_faults(env=[{"name": "A", "valueFrom": source}])
    where = "env[0].valueFrom.configMapKeyRef.key"
    assert found == [f'{where}: Invalid value: "{key}": {why}' for why in expected]


def test_every_source_of_a_variable_is_judged_before_their_number_is():
    source = {"fieldRef": {"fieldPath": ""}, "secretKeyRef": {"name": "", "key": ""}}
    found = app_faults(env=[{"name": "A", "valueFrom": source}])
    assert set(found) == {
        "env[0].valueFrom.fieldRef.fieldPath: Required value",
        "env[0].valueFrom.secretKeyRef.name: Required value",
        "env[0].valueFrom.secretKeyRef.key: Required value",
        'env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time',
    }


# Volumes


@pytest.mark.parametrize("kind", ["", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"])
def test_types_of_host_paths(kind):
    assert spec_faults(volumes=[{"name": "v", "hostPath": {"path": "/srv", "type": kind}}]) == []


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, []),
        (
            {"emptyDir": {"sizeLimit": "-1Gi"}},
            [".emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"],
        ),
        ({"hostPath": {"path": "/a/../b"}}, [".hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"]),
        (
            {"hostPath": {"path": "/a", "type": "Link"}},
            [
                '.hostPath.type: Unsupported value: "Link": supported values: "BlockDevice", "CharDevice", '
                '"Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
            ],
        ),
        ({"configMap": {"name": "c", "items": [{"path": "a"}]}}, [".configMap.items[0].key: Required value"]),
        ({"configMap": {"name": "c", "items": [{"key": "a"}]}}, [".configMap.items[0].path: Required value"]),
        (
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "/a"}]}},
            ['.configMap.items[0].path: Invalid value: "/a": must be a relative path'],
        ),
        (
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "..a"}]}},
            [".configMap.items[0].path: Invalid value: \"..a\": must not start with '..'"],
        ),
        (
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "a", "mode": -1}]}},
            [
                ".configMap.items[0].mode: Invalid value: -1: "
                "must be a number between 0 and 0777 (octal), both inclusive"
            ],
        ),
        ({"secret": {"secretName": "s", "defaultMode": 0o777}}, []),
        (
            {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            [],
        ),
        (
            {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "status.podIP"}}]}},
            [
                '.downwardAPI.items[0].fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: '
                '"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"'
            ],
        ),
        (
            {"downwardAPI": {"items": [{"path": "l", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
            [".downwardAPI.items[0].resourceFieldRef.containerName: Required value"],
        ),
        ({"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}}, []),
        ({"projected": {"sources": [{"secret": {}}]}}, [".projected.sources[0].secret.name: Required value"]),
        (
            {"projected": {"sources": [{"configMap": {"name": "c"}, "secret": {"name": "s"}}]}},
            [".projected.sources[0].configMap: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 600}}]}},
            [".projected.sources[0].serviceAccountToken.path: Required value"],
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 2**32 + 1}}]}},
            [
                ".projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: "
                "may not specify a duration larger than 2^32 seconds"
            ],
        ),
    ],
)
def test_sources_of_volumes(volume, expected):
    assert spec_faults(volumes=[{"name": "v", **volume}]) == [f"spec.volumes[0]{text}" for text in expected]


@pytest.mark.parametrize("name", ["", "A", "a.b", "a_b", "-a", "a" * 64])
def test_names_of_volumes_are_labels(name):
    (text, *_) = spec_faults(volumes=[{"name": name, "emptyDir": {}}])
    assert text.startswith("spec.volumes[0].name: ")


def test_two_mounts_of_one_volume_have_paths_of_their_own():
    volumes = [{"name": "d", "emptyDir": {}}]
    apart = [{"name": "d", "mountPath": "/a", "subPath": "x"}, {"name": "d", "mountPath": "/b", "subPath": "y"}]
    assert spec_faults(volumes=volumes, containers=[container(volumeMounts=apart)]) == []
    both = [{"name": "d", "mountPath": "/a", "subPath": "x", "subPathExpr": "$(A)"}]
    assert spec_faults(volumes=volumes, containers=[container(volumeMounts=both)]) == [
        'spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "$(A)": '
        "subPathExpr and subPath are mutually exclusive"
    ]


# Placement

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"key": "a", "operator": "In", "values": ["1"]}, []),
        ({"key": "a", "operator": "Exists"}, []),
        ({"key": "a", "operator": "Gt", "values": ["5"]}, []),
        ({"key": "a", "operator": "Lt", "values": ["-5"]}, []),
        (
            {"key": "a", "operator": "In"},
            [".values: Required value: must be specified when `operator` is 'In' or 'NotIn'"],
        ),
        (
            {"key": "a", "operator": "NotIn", "values": []},
            [".values: Required value: must be specified when `operator` is 'In' or 'NotIn'"],
        ),
        (
            {"key": "a", "operator": "Exists", "values": ["x"]},
            [".values: Invalid value: [\"x\"]: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"],
        ),
        (
            {"key": "a", "operator": "Gt", "values": ["1", "2"]},
            [".values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'"],
        ),
        (
            {"key": "a", "operator": "Near", "values": ["1"]},
            ['.operator: Invalid value: "Near": not a valid selector operator'],
        ),
        ({"key": "a", "values": ["1"]}, ['.operator: Invalid value: "": not a valid selector operator']),
    ],
)
@pytest.mark.parametrize("strength", ["required", "preferred"])
def test_expressions_about_nodes(strength, expression, expected):
    term = {"matchExpressions": [expression]}
    if strength == "required":
        affinity, where = {REQUIRED: {"nodeSelectorTerms": [term]}}, f"{REQUIRED}.nodeSelectorTerms[0]"
    else:
        affinity, where = {PREFERRED: [{"weight": 1, "preference": term}]}, f"{PREFERRED}[0].preference"
    found = spec_faults(affinity={"nodeAffinity": affinity})
    assert found == [f"spec.affinity.nodeAffinity.{where}.matchExpressions[0]{text}" for text in expected]


def test_of_a_nodes_fields_only_the_name_may_be_asked():
    def asked(key):
        term = {"matchFields": [{"key": key, "operator": "In", "values": ["n1"]}]}
        return spec_faults(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}})

    assert asked("metadata.name") == []
    assert asked("spec.unschedulable") == [
        f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchFields[0].key: "
        'Invalid value: "spec.unschedulable": not a valid field selector key'
    ]


@pytest.mark.parametrize(("weight", "good"), [(0, False), (1, True), (100, True), (101, False)])
@pytest.mark.parametrize("kind", ["nodeAffinity", "podAffinity", "podAntiAffinity"])
def test_weights_are_from_one_to_a_hundred(kind, weight, good):
    inner = (
        {"preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
        if kind == "nodeAffinity"
        else {"podAffinityTerm": {"topologyKey": "zone", "labelSelector": {}}}
    )
    found = spec_faults(affinity={kind: {PREFERRED: [{"weight": weight, **inner}]}})
    where = f"spec.affinity.{kind}.{PREFERRED}[0].weight"
    assert found == ([] if good else [f"{where}: Invalid value: {weight}: must be in the range 1-100"])


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
@pytest.mark.parametrize(
    ("term", "words"),
    [
        ({}, ".topologyKey: Required value: can not be empty"),
        ({"topologyKey": "a b"}, '.topologyKey: Invalid value: "a b": '),
        ({"topologyKey": "zone", "namespaces": ["A"]}, '.namespace[0]: Invalid value: "A": '),
        (
            {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "-"}}},
            '.labelSelector.matchLabels: Invalid value: "-": ',
        ),
        (
            {
                "topologyKey": "zone",
                "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
            },
            ".namespaceSelector.matchExpressions[0].values: Required value: ",
        ),
    ],
)
def test_terms_about_other_pods(kind, term, words):
    (text,) = spec_faults(affinity={kind: {REQUIRED: [term]}})
    assert text.startswith(f"spec.affinity.{kind}.{REQUIRED}[0]{words}")


SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"minDomains": 2}, []),
        ({"nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor"}, []),
        ({"matchLabelKeys": ["app"], "labelSelector": {}}, []),
        ({"maxSkew": -1}, ["maxSkew: Invalid value: -1: must be greater than zero"]),
        ({"minDomains": 0}, ["minDomains: Invalid value: 0: must be greater than zero"]),
        (
            {"minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"},
            [
                "minDomains: Invalid value: 2: can only use minDomains if "
                "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            ],
        ),
        (
            {"whenUnsatisfiable": ""},
            ['whenUnsatisfiable: Unsupported value: "": supported values: "DoNotSchedule", "ScheduleAnyway"'],
        ),
        (
            {"nodeTaintsPolicy": "Mind"},
            ['nodeTaintsPolicy: Unsupported value: "Mind": supported values: "Honor", "Ignore"'],
        ),
        (
            {"matchLabelKeys": ["app"]},
            ["matchLabelKeys: Forbidden: must not be set when labelSelector is not set"],
        ),
    ],
)
def test_topology_spread_in_depth(change, expected):
    found = spec_faults(topologySpreadConstraints=[{**SPREAD, **change}])
    assert found == [f"spec.topologySpreadConstraints[0].{text}" for text in expected]


def test_a_topology_is_spread_over_once_in_each_way():
    both = [SPREAD, {**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]
    assert spec_faults(topologySpreadConstraints=both) == []
    assert spec_faults(topologySpreadConstraints=[*both, {**SPREAD, "maxSkew": 5}]) == [
        'spec.topologySpreadConstraints[2].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"'
    ]


# Updates of Pods with scheduling gates (KEP 3521 and 3838)

GATED = {"schedulingGates": [{"name": "example.com/a"}, {"name": "example.com/b"}]}
IN_A = {"key": "zone", "operator": "In", "values": ["a"]}
HAS_SSD = {"key": "ssd", "operator": "Exists"}
ONLY_ADDED = "only additions are allowed (no mutations or deletions)"


def affinity(*terms):
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": list(term)} for term in terms]}}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"nodeSelector": {"zone": "a"}}),
        ({"nodeSelector": {"zone": "a"}}, {"nodeSelector": {"zone": "a", "disk": "ssd"}}),
        ({}, {"affinity": affinity([IN_A])}),
        ({"affinity": affinity([IN_A])}, {"affinity": affinity([IN_A, HAS_SSD])}),
        ({"affinity": affinity([IN_A], [HAS_SSD])}, {"affinity": affinity([IN_A, HAS_SSD], [HAS_SSD])}),
        ({}, {"schedulingGates": [{"name": "example.com/b"}]}),
        ({}, {"schedulingGates": []}),
    ],
)
def test_a_gated_pod_may_be_narrowed_and_released(before, after):
    assert change_faults(kinds.POD, pod(**GATED, **before), lambda pod: pod["spec"].update(after)) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"nodeSelector": {"zone": "a"}},
            {"nodeSelector": {"zone": "b"}},
            'spec.nodeSelector: Invalid value: {"zone":"b"}: '
            "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
        ),
        (
            {"nodeSelector": {"zone": "a"}},
            {"nodeSelector": None},
            "spec.nodeSelector: Invalid value: {}: "
            "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
        ),
        (
            {"affinity": affinity([IN_A])},
            {"affinity": affinity([HAS_SSD])},
            f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0]: Invalid value: "
            f'{{"matchExpressions":[{{"key":"ssd","operator":"Exists"}}]}}: {ONLY_ADDED}',
        ),
        (
            {"affinity": affinity([IN_A])},
            {"affinity": None},
            f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms: Invalid value: []: "
            "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
        ),
        (
            {},
            {"schedulingGates": [*GATED["schedulingGates"], {"name": "c"}]},
            "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'c'",
        ),
    ],
)
def test_a_gated_pod_may_not_be_widened(before, after, expected):
    (text,) = change_faults(kinds.POD, pod(**GATED, **before), lambda pod: pod["spec"].update(after))
    assert text == expected


def test_a_gated_pods_affinity_to_other_pods_is_immutable():
    term = {"topologyKey": "zone", "labelSelector": {}}
    change = {"affinity": {"podAntiAffinity": {REQUIRED: [term]}}}
    (text,) = change_faults(kinds.POD, pod(**GATED), lambda pod: pod["spec"].update(change))
    assert text.startswith("spec: Forbidden: pod updates may not change fields other than")


@pytest.mark.parametrize("change", [{"nodeSelector": {"zone": "a"}}, {"affinity": affinity([IN_A])}])
def test_a_pod_without_gates_stays_where_it_may_go(change):
    (text,) = change_faults(kinds.POD, pod(), lambda pod: pod["spec"].update(change))
    assert text.startswith("spec: Forbidden: pod updates may not change fields other than")


def test_no_gate_is_put_up_later():
    gates = {"schedulingGates": [{"name": "late"}]}
    (text,) = change_faults(kinds.POD, pod(), lambda pod: pod["spec"].update(gates))
    assert text == "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'late'"


@pytest.mark.parametrize(
    ("name", "good"), [("example.com/gate", True), ("gate", True), ("", False), ("a/b/c", False), ("a b", False)]
)
def test_names_of_gates(name, good):
    assert (spec_faults(schedulingGates=[{"name": name}]) == []) is good


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serviceAccountName", "Builder"),
        ("nodeName", "node_1"),
        ("subdomain", "a.b"),
        ("priorityClassName", "High"),
        ("runtimeClassName", "g/visor"),
        ("schedulerName", "my scheduler"),
        ("hostname", "-x"),
    ],
)
def test_names_that_a_pod_mentions_are_names(field, value):
    (text, *_) = spec_faults(**{field: value})
    assert text.startswith(f'spec.{field}: Invalid value: "{value}": ')
