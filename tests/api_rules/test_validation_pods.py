"""What a Pod must be, and what an update of one may change, in kube-apiserver's words."""

import pytest

from homeostat.api import kinds
from homeostat.api.validation import validate_create
from tests.support.rules import change_faults, container, faults, pod

NO_HANDLER = "must specify a handler type"


def test_a_plain_pod_is_valid():
    assert faults(kinds.POD, pod()) == []


def spec_faults(**spec):
    return faults(kinds.POD, pod(**spec))


def container_faults(**fields):
    return spec_faults(containers=[container(**fields)])


def test_causes_carry_reason_and_field():
    (cause,) = validate_create(kinds.POD, pod(containers=[]))
    assert (cause.reason, cause.field, cause.message) == ("FieldValueRequired", "spec.containers", "Required value")


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([], ["spec.containers: Required value"]),
        ([container("")], ["spec.containers[0].name: Required value"]),
        ([container(image="")], ["spec.containers[0].image: Required value"]),
        ([container("a"), container("a")], ['spec.containers[1].name: Duplicate value: "a"']),
        (
            [container(image=" x")],
            ['spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace'],
        ),
        (
            [container(imagePullPolicy="Maybe")],
            [
                'spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": '
                'supported values: "Always", "IfNotPresent", "Never"'
            ],
        ),
    ],
)
def test_containers(containers, expected):
    assert spec_faults(containers=containers) == expected


def test_a_container_name_is_a_dns_label():
    (text,) = container_faults(name="A_b")
    assert text.startswith('spec.containers[0].name: Invalid value: "A_b": a lowercase RFC 1123 label must consist of')


def test_init_containers_share_names_with_containers_and_have_no_probes():
    probe = {"exec": {"command": ["true"]}}
    assert spec_faults(initContainers=[container("app")]) == ['spec.initContainers[0].name: Duplicate value: "app"']
    assert spec_faults(initContainers=[container("init", livenessProbe=probe)]) == [
        "spec.initContainers[0].livenessProbe: Forbidden: "
        "may not be set for init containers without restartPolicy=Always"
    ]
    assert spec_faults(initContainers=[container("init", livenessProbe=probe, restartPolicy="Always")]) == []


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({}, ["spec.containers[0].ports[0].containerPort: Required value"]),
        (
            {"containerPort": 70000},
            ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
        ),
        (
            {"containerPort": 1, "protocol": "ICMP"},
            ['spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        (
            {"containerPort": 1, "name": "8"},
            ['spec.containers[0].ports[0].name: Invalid value: "8": must contain at least one letter (a-z)'],
        ),
        ({"containerPort": 1, "name": "web", "protocol": "UDP", "hostPort": 1}, []),
    ],
)
def test_container_ports(port, expected):
    assert container_faults(ports=[port]) == expected


def test_port_names_and_host_ports_are_distinct():
    ports = [{"containerPort": 1, "name": "a", "hostPort": 9}, {"containerPort": 2, "name": "a", "hostPort": 9}]
    assert container_faults(ports=ports) == [
        'spec.containers[0].ports[1].name: Duplicate value: "a"',
        'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//9"',
    ]
    own = [{"containerPort": 1, "hostPort": 2}]
    assert spec_faults(containers=[container(ports=own)], hostNetwork=True) == [
        "spec.containers[0].ports[0].containerPort: Invalid value: 1: must match `hostPort` when `hostNetwork` is true"
    ]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ({"name": "A", "value": "1"}, []),
        ({"name": "", "value": "1"}, ["spec.containers[0].env[0].name: Required value"]),
        ({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, []),
        ({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}}}, []),
        (
            {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "nope"}}},
            [
                'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "nope": '
                "error converting fieldPath: field label not supported: nope"
            ],
        ),
        (
            {"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
        ),
        (
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}},
            ["spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Required value"],
        ),
        (
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "", "key": "k"}}},
            ["spec.containers[0].env[0].valueFrom.secretKeyRef.name: Required value"],
        ),
        ({"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}, []),
    ],
)
def test_environment(variable, expected):
    assert container_faults(env=[variable]) == expected


def test_a_variable_has_one_source():
    (none,) = container_faults(env=[{"name": "A", "valueFrom": {}}])
    assert (
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`" in none
    )
    two = {"fieldRef": {"fieldPath": "metadata.name"}, "secretKeyRef": {"name": "s", "key": "k"}}
    (many,) = container_faults(env=[{"name": "A", "valueFrom": two}])
    assert many.endswith("may not have more than one field specified at a time")
    (unsupported,) = container_faults(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.subdomain"}}}])
    assert 'Unsupported value: "spec.subdomain": supported values: "metadata.name", "metadata.namespace"' in unsupported
    (wrong,) = container_faults(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}])
    assert 'Unsupported value: "limits.gpu"' in wrong


def test_environment_from_whole_maps():
    assert container_faults(envFrom=[{"configMapRef": {"name": "c"}, "prefix": "P_"}]) == []
    (nothing,) = container_faults(envFrom=[{"prefix": "P_"}])
    assert nothing.endswith("must specify one of: `configMapRef` or `secretRef`")
    (two,) = container_faults(envFrom=[{"configMapRef": {"name": "c"}, "secretRef": {"name": "s"}}])
    assert two.endswith("may not have more than one field specified at a time")


def test_mounts_name_a_volume_and_have_a_path_of_their_own():
    volumes = [{"name": "data", "emptyDir": {}}]
    mounts = [{"name": "data", "mountPath": "/a"}, {"name": "other", "mountPath": "/a"}, {"name": "data"}]
    assert spec_faults(volumes=volumes, containers=[container(volumeMounts=mounts)]) == [
        'spec.containers[0].volumeMounts[1].name: Not found: "other"',
        'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
        "spec.containers[0].volumeMounts[2].mountPath: Required value",
    ]
    steps = [
        {"name": "data", "mountPath": "/a", "subPath": "../x"},
        {"name": "data", "mountPath": "/b", "subPath": "/x"},
    ]
    assert spec_faults(volumes=volumes, containers=[container(volumeMounts=steps)]) == [
        "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"../x\": must not contain '..'",
        'spec.containers[0].volumeMounts[1].subPath: Invalid value: "/x": must be a relative path',
    ]


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ({"exec": {"command": ["x"]}}, []),
        ({"httpGet": {"path": "/", "port": "http", "scheme": "HTTPS"}}, []),
        ({"tcpSocket": {"port": 80}}, []),
        ({"grpc": {"port": 80}}, []),
        ({}, [f"Required value: {NO_HANDLER}"]),
        ({"exec": {"command": []}}, [".exec.command: Required value"]),
        ({"httpGet": {"port": 0}}, [".httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        (
            {"tcpSocket": {"port": "Bad"}},
            [
                '.tcpSocket.port: Invalid value: "Bad": must contain only alpha-numeric characters (a-z, 0-9), '
                "and hyphens (-)"
            ],
        ),
        (
            {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}},
            [".tcpSocket: Forbidden: may not specify more than 1 handler type"],
        ),
        (
            {"exec": {"command": ["x"]}, "periodSeconds": -1},
            [".periodSeconds: Invalid value: -1: must be greater than or equal to 0"],
        ),
        ({"exec": {"command": ["x"]}, "successThreshold": 2}, [".successThreshold: Invalid value: 2: must be 1"]),
        (
            {"httpGet": {"port": 1, "scheme": "FTP"}},
            ['.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"'],
        ),
    ],
)
def test_probes(probe, expected):
    found = container_faults(livenessProbe=probe)
    assert [text.removeprefix("spec.containers[0].livenessProbe").removeprefix(": ") for text in found] == expected


def test_only_liveness_and_startup_probes_may_shorten_the_end():
    probe = {"exec": {"command": ["x"]}, "terminationGracePeriodSeconds": 5, "successThreshold": 3}
    (text,) = container_faults(readinessProbe=probe)
    assert text.endswith("Invalid value: 5: must not be set for readinessProbes")
    hooks = {"preStop": {"sleep": {"seconds": -1}}, "postStart": {}}
    assert container_faults(lifecycle=hooks) == [
        f"spec.containers[0].lifecycle.postStart: Required value: {NO_HANDLER}",
        "spec.containers[0].lifecycle.preStop.sleep.seconds: Invalid value: -1: must be greater than or equal to 0",
    ]


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}}, []),
        (
            {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            ['requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
        ),
        (
            {"limits": {"memory": "-1Gi"}},
            ['limits[memory]: Invalid value: "-1Gi": must be greater than or equal to 0'],
        ),
        (
            {"requests": {"gpu": "1"}},
            [
                'requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
                'requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
            ],
        ),
        ({"limits": {"example.com/gpu": "1"}, "requests": {"example.com/gpu": "1"}}, []),
        (
            {"requests": {"example.com/gpu": "1"}},
            ["limits: Required value: Limit must be set for non overcommitable resources"],
        ),
        (
            {"limits": {"example.com/gpu": "500m"}},
            ['limits[example.com/gpu]: Invalid value: "500m": must be an integer'],
        ),
    ],
)
def test_resources(resources, expected):
    found = container_faults(resources=resources)
    assert [text.removeprefix("spec.containers[0].resources.") for text in found] == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"name": "v", "emptyDir": {}}, []),
        ({"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "a/b"}]}}, []),
        ({"name": "v"}, ["spec.volumes[0]: Required value: must specify a volume type"]),
        (
            {"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}},
            ["spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"],
        ),
        ({"name": "v", "secret": {}}, ["spec.volumes[0].secret.secretName: Required value"]),
        ({"name": "v", "configMap": {}}, ["spec.volumes[0].configMap.name: Required value"]),
        ({"name": "v", "hostPath": {"path": ""}}, ["spec.volumes[0].hostPath.path: Required value"]),
        (
            {"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "../x"}]}},
            ["spec.volumes[0].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'"],
        ),
        (
            {"name": "v", "secret": {"secretName": "s", "defaultMode": 0o1000}},
            [
                "spec.volumes[0].secret.defaultMode: Invalid value: 512: "
                "must be a number between 0 and 0777 (octal), both inclusive"
            ],
        ),
        (
            {"name": "v", "downwardAPI": {"items": [{"path": "x"}]}},
            [
                "spec.volumes[0].downwardAPI.items[0].fieldRef: Required value: "
                "one of fieldRef and resourceFieldRef is required"
            ],
        ),
        (
            {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 10}}]}},
            [
                "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 10: "
                "may not specify a duration less than 10 minutes"
            ],
        ),
        (
            {"name": "v", "persistentVolumeClaim": {}},
            ["spec.volumes[0].persistentVolumeClaim.claimName: Required value"],
        ),
    ],
)
def test_volumes(volume, expected):
    assert spec_faults(volumes=[volume]) == expected


def test_volume_names_are_distinct():
    assert spec_faults(volumes=[{"name": "v", "emptyDir": {}}] * 2) == ['spec.volumes[1].name: Duplicate value: "v"']


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"restartPolicy": "Often"},
            [
                'spec.restartPolicy: Unsupported value: "Often": supported values: "Always", "Never", "OnFailure"',
            ],
        ),
        (
            {"activeDeadlineSeconds": 0},
            ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
        ),
        (
            {"terminationGracePeriodSeconds": -1},
            ["spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {"dnsPolicy": "None", "dnsConfig": {}},
            [
                "spec.dnsConfig.nameservers: Required value: "
                "must provide at least one DNS nameserver when `dnsPolicy` is None"
            ],
        ),
        ({"hostname": "a.b"}, ['spec.hostname: Invalid value: "a.b": must not contain dots']),
        (
            {"ephemeralContainers": [container("debug")]},
            ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
        ),
        (
            {"schedulingGates": [{"name": "a"}], "nodeName": "n"},
            ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
        ),
    ],
)
def test_the_rest_of_the_spec(spec, expected):
    assert spec_faults(**spec) == expected


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}, []),
        ({"operator": "Exists"}, []),
        ({"key": "a", "value": "b"}, []),
        (
            {"value": "b"},
            [
                'operator: Invalid value: "Equal": operator must be Exists when `key` is empty, '
                'which means "match all values and all keys"'
            ],
        ),
        (
            {"key": "a", "operator": "Exists", "value": "b"},
            ["operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"],
        ),
        (
            {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5},
            ["effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
        ),
        (
            {"key": "a", "operator": "Near"},
            ['operator: Unsupported value: "Near": supported values: "Equal", "Exists"'],
        ),
        (
            {"key": "a", "effect": "Never"},
            ['effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"'],
        ),
    ],
)
def test_tolerations(toleration, expected):
    found = spec_faults(tolerations=[toleration])
    assert [text.removeprefix("spec.tolerations[0].") for text in found] == expected


def test_affinity():
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    good = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    assert spec_faults(affinity={"nodeAffinity": good}) == []
    bad = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []},
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 0, "preference": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["x"]}]}}
        ],
    }
    where = "spec.affinity.nodeAffinity"
    assert spec_faults(affinity={"nodeAffinity": bad}) == [
        f"{where}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: "
        "must have at least one node selector term",
        f"{where}.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: "
        "must be in the range 1-100",
        f"{where}.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values: "
        "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
    ]
    pods = {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {"matchLabels": {"a": "b"}}}]}
    assert spec_faults(affinity={"podAntiAffinity": pods}) == [
        "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: "
        "Required value: can not be empty"
    ]


def test_topology_spread():
    good = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    assert spec_faults(topologySpreadConstraints=[good]) == []
    bad = {"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Perhaps"}
    assert spec_faults(topologySpreadConstraints=[bad]) == [
        "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
        'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Perhaps": '
        'supported values: "DoNotSchedule", "ScheduleAnyway"',
    ]
    (twice,) = spec_faults(topologySpreadConstraints=[good, good])
    assert "Duplicate value" in twice


# Updates


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["spec"]["containers"][0].update(image="nginx:2"),
        lambda pod: pod["spec"].update(activeDeadlineSeconds=5),
        lambda pod: pod["spec"]["tolerations"].append({"key": "b", "operator": "Exists"}),
        lambda pod: pod["spec"]["tolerations"][0].update(tolerationSeconds=9),
        lambda pod: pod["metadata"].update(labels={"a": "b"}),
    ],
)
def test_what_an_update_may_change(change):
    old = pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute"}], activeDeadlineSeconds=10)
    assert change_faults(kinds.POD, old, change) == []


@pytest.mark.parametrize("field", ["nodeName", "serviceAccountName", "restartPolicy", "hostname"])
def test_the_rest_of_a_pods_spec_is_fixed(field):
    value = "Never" if field == "restartPolicy" else "other"
    (text,) = change_faults(kinds.POD, pod(), lambda pod: pod["spec"].update({field: value}))
    assert text.startswith(
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
    )
    assert f"spec.{field}" in text


def test_containers_are_neither_added_nor_altered():
    (added,) = change_faults(kinds.POD, pod(), lambda pod: pod["spec"]["containers"].append(container("b")))
    assert added == "spec.containers: Forbidden: pod updates may not add or remove containers"
    (altered,) = change_faults(kinds.POD, pod(), lambda pod: pod["spec"]["containers"][0].update(command=["x"]))
    assert "pod updates may not change fields other than" in altered
    (empty,) = change_faults(kinds.POD, pod(), lambda pod: pod["spec"]["containers"][0].update(image=""))
    assert empty == "spec.containers[0].image: Required value"


def test_a_toleration_stays_and_a_deadline_only_comes_nearer():
    old = pod(tolerations=[{"key": "a", "operator": "Exists"}], activeDeadlineSeconds=10)
    assert change_faults(kinds.POD, old, lambda pod: pod["spec"].update(tolerations=[])) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]
    assert change_faults(kinds.POD, old, lambda pod: pod["spec"].update(activeDeadlineSeconds=11)) == [
        "spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value"
    ]
    assert change_faults(kinds.POD, old, lambda pod: pod["spec"].pop("activeDeadlineSeconds")) == [
        "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"
    ]


def test_a_gated_pod_may_be_placed_differently_and_lose_gates_only():
    old = pod(schedulingGates=[{"name": "a"}])
    assert change_faults(kinds.POD, old, lambda pod: pod["spec"].update(nodeSelector={"zone": "a"})) == []
    assert change_faults(kinds.POD, old, lambda pod: pod["spec"].update(schedulingGates=[])) == []
    assert change_faults(kinds.POD, old, lambda pod: pod["spec"]["schedulingGates"].append({"name": "b"})) != []
    assert change_faults(kinds.POD, pod(), lambda pod: pod["spec"].update(nodeSelector={"zone": "a"})) != []


def test_a_binding_sets_the_node():
    assert change_faults(kinds.POD, pod(), lambda pod: pod["spec"].update(nodeName="n1"), "binding") == []
