"""Services and endpoints, configuration, the control plane's own kinds, RBAC, networking."""

import base64

import pytest

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.fields import CAUSES_MAX
from homeostat.api.shape.structural import conform
from homeostat.api.validation import validate_create, validate_update
from tests.support.rules import change_faults, faults, named

MIB = 1024 * 1024


def service(**spec):
    return named(kinds.SERVICE, "web", spec={"ports": [{"port": 80, "protocol": "TCP"}], **spec})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"ports": []}, ["spec.ports: Required value"]),
        ({"ports": [], "clusterIP": "None"}, []),
        ({"ports": [], "type": "ExternalName", "externalName": "a.example."}, []),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
        (
            {"type": "ExternalName", "externalName": "a", "clusterIP": "10.0.0.1"},
            ["spec.clusterIPs: Forbidden: may not be set for ExternalName services"],
        ),
        (
            {"type": "Public"},
            [
                'spec.type: Unsupported value: "Public": supported values: "ClusterIP", "ExternalName", '
                '"LoadBalancer", "NodePort"'
            ],
        ),
        (
            {"type": "NodePort", "clusterIP": "None"},
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        (
            {"clusterIP": "10.0.0"},
            [
                'spec.clusterIPs[0]: Invalid value: "10.0.0": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            ],
        ),
        (
            {"ports": [{"port": 1}, {"port": 2}]},
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "a"}]},
            [
                'spec.ports[1].name: Duplicate value: "a"',
                'spec.ports[1]: Duplicate value: {"port":1,"protocol":"TCP"}',
            ],
        ),
        ({"ports": [{"port": 53, "name": "t"}, {"port": 53, "name": "u", "protocol": "UDP"}]}, []),
        ({"ports": [{"port": 0}]}, ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {
                "type": "NodePort",
                "ports": [{"port": 1, "name": "a", "nodePort": 30000}, {"port": 2, "name": "b", "nodePort": 30000}],
            },
            ["spec.ports[1].nodePort: Duplicate value: 30000"],
        ),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
            [
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: "
                "must be greater than 0 and less than 86400"
            ],
        ),
        (
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}},
            ["spec.sessionAffinityConfig: Forbidden: must not be set when session affinity is None"],
        ),
    ],
)
def test_services(spec, expected):
    assert faults(kinds.SERVICE, service(**spec)) == expected


def test_a_target_port_may_be_a_name():
    ports = [{"port": 80, "targetPort": "http"}]
    assert faults(kinds.SERVICE, service(ports=ports)) == []
    (text,) = faults(kinds.SERVICE, service(ports=[{"port": 80, "targetPort": "9"}]))
    assert text == 'spec.ports[0].targetPort: Invalid value: "9": must contain at least one letter (a-z)'


def test_a_cluster_address_stays_unless_the_service_becomes_a_name():
    old = service(clusterIP="10.0.0.1", type="ClusterIP")
    assert change_faults(kinds.SERVICE, old, lambda obj: obj["spec"].update(clusterIP="10.0.0.2")) == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'
    ]
    away = {"type": "ExternalName", "externalName": "a.b", "clusterIP": ""}
    assert change_faults(kinds.SERVICE, old, lambda obj: obj["spec"].update(away)) == []


def test_endpoints_may_be_on_loopback():
    subset = {"addresses": [{"ip": "127.10.0.5"}], "ports": [{"port": 80}]}
    assert faults(kinds.ENDPOINTS, named(kinds.ENDPOINTS, subsets=[subset])) == []
    bad = {"addresses": [{"ip": "nowhere"}], "ports": [{"port": 0}]}
    assert faults(kinds.ENDPOINTS, named(kinds.ENDPOINTS, subsets=[bad, {}])) == [
        'subsets[0].addresses[0].ip: Invalid value: "nowhere": '
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`",
    ]


def endpoint_slice(**fields):
    return named(kinds.ENDPOINTSLICE, addressType="IPv4", **{"endpoints": [{"addresses": ["127.0.0.5"]}], **fields})


def test_endpoint_slices():
    assert faults(kinds.ENDPOINTSLICE, endpoint_slice(ports=[{"name": "a", "port": 1}, {"name": "b"}])) == []
    assert faults(kinds.ENDPOINTSLICE, endpoint_slice(endpoints=[{"addresses": ["::1"]}, {"addresses": []}])) == [
        'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
        "endpoints[1].addresses: Required value: must contain at least 1 address",
    ]
    assert faults(kinds.ENDPOINTSLICE, endpoint_slice(ports=[{"name": "a"}, {"name": "a"}])) == [
        'ports[1].name: Duplicate value: "a"'
    ]
    assert faults(kinds.ENDPOINTSLICE, endpoint_slice(endpoints=[{"addresses": ["127.0.0.5"]}] * 1001)) == [
        "endpoints: Too many: 1001: must have at most 1000 items"
    ]
    assert change_faults(
        kinds.ENDPOINTSLICE, endpoint_slice(endpoints=[]), lambda obj: obj.update(addressType="IPv6")
    ) == ['addressType: Invalid value: "IPv6": field is immutable']


def test_configmaps():
    def config(**fields):
        return faults(kinds.CONFIGMAP, named(kinds.CONFIGMAP, **fields))

    assert config(data={"a.b_C-d": "x"}, binaryData={"e": "AA=="}) == []
    (key,) = config(data={"a/b": "x"})
    assert key.startswith('data[a/b]: Invalid value: "a/b": a valid config key must consist of')
    assert config(data={"a": "x"}, binaryData={"a": "AA=="}) == [
        'data[a]: Invalid value: "a": duplicate of key present in binaryData'
    ]
    assert config(data={"a": "x" * MIB}) == []
    assert config(data={"a": "x" * MIB, "b": "y"}) == [": Too long: may not be more than 1048576 bytes"]


@pytest.mark.parametrize("kind", [kinds.CONFIGMAP, kinds.SECRET])
def test_an_immutable_map_stays_as_it_is(kind):
    old = named(kind, data={"a": "AA=="}, immutable=True)
    why = "Forbidden: field is immutable when `immutable` is set"
    assert change_faults(kind, old, lambda obj: obj["data"].update(a="AB==")) == [f"data: {why}"]
    assert change_faults(kind, old, lambda obj: obj.pop("immutable")) == [f"immutable: {why}"]
    assert change_faults(kind, old, lambda obj: obj["metadata"].update(labels={"a": "b"})) == []


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("Opaque", {}, []),
        ("kubernetes.io/tls", {"tls.crt": ""}, ["data[tls.key]: Required value"]),
        ("kubernetes.io/ssh-auth", {}, ["data[ssh-privatekey]: Required value"]),
        ("kubernetes.io/basic-auth", {"username": "YQ=="}, []),
        ("kubernetes.io/basic-auth", {}, ["data[username]: Required value", "data[password]: Required value"]),
        ("kubernetes.io/dockerconfigjson", {}, ["data[.dockerconfigjson]: Required value"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": base64.b64encode(b"{}").decode()}, []),
        (
            "kubernetes.io/service-account-token",
            {},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
    ],
)
def test_a_secret_holds_what_its_type_asks_for(kind, data, expected):
    assert faults(kinds.SECRET, named(kinds.SECRET, type=kind, data=data)) == expected


def test_a_malformed_secret_is_not_repeated_in_the_error():
    obj = named(
        kinds.SECRET, type="kubernetes.io/dockercfg", data={".dockercfg": base64.b64encode(b"hunter2").decode()}
    )
    (text,) = faults(kinds.SECRET, obj)
    assert text.startswith('data[.dockercfg]: Invalid value: "<secret contents redacted>": ')
    assert "hunter2" not in text


def test_a_secret_keeps_its_type():
    old = named(kinds.SECRET, type="Opaque")
    assert change_faults(kinds.SECRET, old, lambda obj: obj.update(type="x/y")) == [
        'type: Invalid value: "x/y": field is immutable'
    ]


def test_leases_budgets_and_priorities():
    assert faults(kinds.LEASE, named(kinds.LEASE, spec={"leaseDurationSeconds": 0, "leaseTransitions": -1})) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
    ]
    (two,) = faults(kinds.PDB, named(kinds.PDB, spec={"minAvailable": 1, "maxUnavailable": "50%"}))
    assert two.endswith("minAvailable and maxUnavailable cannot be both set")
    assert faults(kinds.PRIORITYCLASS, named(kinds.PRIORITYCLASS, value=1_000_000_001)) == [
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"
    ]
    assert faults(kinds.PRIORITYCLASS, named(kinds.PRIORITYCLASS, "system-node-critical", value=2_000_001_000)) == []
    (reserved,) = faults(kinds.PRIORITYCLASS, named(kinds.PRIORITYCLASS, "system-mine", value=1))
    assert "priority class names with 'system-' prefix are reserved for system use only" in reserved
    assert change_faults(kinds.PRIORITYCLASS, named(kinds.PRIORITYCLASS, value=1), lambda obj: obj.update(value=2)) == [
        "value: Forbidden: may not be changed in an update."
    ]


def test_events_are_in_the_namespace_of_their_object():
    assert faults(kinds.EVENT, named(kinds.EVENT, involvedObject={"namespace": "default"})) == []
    assert faults(kinds.EVENT, named(kinds.EVENT, involvedObject={})) == []
    assert faults(kinds.EVENT, named(kinds.EVENT, involvedObject={"namespace": "other"})) == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]


def test_a_binding_names_a_node():
    assert faults(kinds.BINDING, named(kinds.BINDING, target={"kind": "Node", "name": "n1"})) == []
    assert faults(kinds.BINDING, named(kinds.BINDING, target={"kind": "Rack"})) == [
        'target.kind: Unsupported value: "Rack": supported values: "<empty>", "Node"',
        "target.name: Required value",
    ]


def test_rules_of_roles():
    def role(kind, **rule):
        return faults(kind, named(kind, rules=[rule]))

    good = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    assert role(kinds.ROLE, **good) == []
    assert role(kinds.ROLE) == [
        "rules[0].verbs: Required value: verbs must contain at least one value",
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        "rules[0].resources: Required value: resource rules must supply at least one resource",
    ]
    assert role(kinds.CLUSTERROLE, verbs=["get"], nonResourceURLs=["/healthz"]) == []
    (scoped,) = role(kinds.ROLE, verbs=["get"], nonResourceURLs=["/healthz"])
    assert scoped.endswith("namespaced rules cannot apply to non-resource URLs")
    (mixed,) = role(kinds.CLUSTERROLE, **good, nonResourceURLs=["/healthz"])
    assert mixed.endswith("rules cannot apply to both regular resources and non-resource URLs")


def binding(kind, role_kind="ClusterRole", subjects=(), group="rbac.authorization.k8s.io"):
    role = {"apiGroup": group, "kind": role_kind, "name": "admin"}
    return named(kind, roleRef=role, subjects=list(subjects))


def test_bindings_of_roles():
    user = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "a"}
    account = {"kind": "ServiceAccount", "name": "a", "namespace": "b"}
    good = binding(kinds.ROLEBINDING, "Role", [user, account])
    assert faults(kinds.ROLEBINDING, good) == []
    assert faults(kinds.CLUSTERROLEBINDING, binding(kinds.CLUSTERROLEBINDING, "Role")) == [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'
    ]
    wrong = binding(kinds.ROLEBINDING, "Role", [{"kind": "Robot", "name": ""}, {"kind": "ServiceAccount", "name": "a"}])
    assert faults(kinds.ROLEBINDING, wrong) == [
        "subjects[0].name: Required value",
        'subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
        "subjects[1].namespace: Required value",
    ]
    (fixed,) = change_faults(kinds.ROLEBINDING, good, lambda obj: obj["roleRef"].update(name="edit"))
    assert fixed.startswith("roleRef: Invalid value: ")
    assert fixed.endswith("cannot change roleRef")


def ingress(**spec):
    return faults(kinds.INGRESS, named(kinds.INGRESS, spec=spec))


def test_ingresses():
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    assert ingress(rules=[{"host": "*.example.com", "http": {"paths": [path]}}]) == []
    (nothing,) = ingress()
    assert nothing.endswith("either `defaultBackend` or `rules` must be specified")
    bad = {"path": "x", "pathType": "Exact", "backend": {"service": {"name": "web", "port": {}}}}
    assert ingress(rules=[{"http": {"paths": [bad, {"backend": backend}]}}]) == [
        'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
        "spec.rules[0].http.paths[0].backend.service.port: Required value: port name or number is required",
        "spec.rules[0].http.paths[1].pathType: Required value: pathType must be specified",
    ]


def test_network_policies():
    peer = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    rule = {"from": [peer], "ports": [{"port": "http", "protocol": "TCP"}]}
    good = {"podSelector": {}, "ingress": [rule], "policyTypes": ["Ingress"]}
    assert faults(kinds.NETWORKPOLICY, named(kinds.NETWORKPOLICY, spec=good)) == []
    bad = {
        "podSelector": {},
        "egress": [{"to": [{}, {"ipBlock": {"cidr": "x"}, "podSelector": {}}]}],
        "policyTypes": ["Up"],
    }
    assert faults(kinds.NETWORKPOLICY, named(kinds.NETWORKPOLICY, spec=bad)) == [
        "spec.egress[0].to[0]: Required value: must specify a peer",
        "spec.egress[0].to[1]: Forbidden: may not specify both ipBlock and another peer",
        'spec.egress[0].to[1].ipBlock.cidr: Invalid value: "x": '
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        'spec.policyTypes[0]: Unsupported value: "Up": supported values: "Egress", "Ingress"',
    ]


def test_an_object_of_endless_mistakes_is_refused_with_the_first_thousand():
    """A body has room for 250,000: listing them all occupied the server for seconds."""
    pod = named(kinds.POD, "p", spec={"containers": [{} for _ in range(3 * CAUSES_MAX)]})
    assert len(conform(Catalogue.builtin().resource(kinds.POD), pod).missing) == CAUSES_MAX
    assert len(validate_create(kinds.POD, pod)) == CAUSES_MAX
    assert len(validate_update(kinds.POD, pod, named(kinds.POD, "p", spec={"containers": []}))) == CAUSES_MAX
    few = named(kinds.POD, "p", spec={"containers": [{}]})
    assert 0 < len(validate_create(kinds.POD, few)) < 10
