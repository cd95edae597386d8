"""Services: types, addresses, ports, traffic and load balancers, as ValidateService and ValidateServiceUpdate judge."""

import pytest

from homeostat.api import kinds
from homeostat.api.shape.strategy import prepare_update
from tests.support.rules import change_faults, faults, named

BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
BAD_RANGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
BALANCER = "may only be used when `type` is 'LoadBalancer'"


def service(**spec):
    return named(kinds.SERVICE, "web", spec={"ports": [{"port": 80, "protocol": "TCP"}], **spec})


def said(**spec):
    """Faults of a Service, without `spec.`."""
    return [text.removeprefix("spec.") for text in faults(kinds.SERVICE, service(**spec))]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "NodePort", "externalTrafficPolicy": "Local"}, []),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster"}, []),
        ({"externalIPs": ["203.0.113.7"], "externalTrafficPolicy": "Cluster"}, []),
        (
            {"externalTrafficPolicy": "Local"},
            ['externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "externalTrafficPolicy": "Local"},
            ['externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
        ),
        (
            {"type": "NodePort", "externalTrafficPolicy": "Near"},
            ['externalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"'],
        ),
        ({"internalTrafficPolicy": "Local"}, []),
        (
            {"internalTrafficPolicy": "Near"},
            ['internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"'],
        ),
        ({"trafficDistribution": "PreferClose"}, []),
        ({"trafficDistribution": "PreferSameNode"}, []),
        (
            {"trafficDistribution": "PreferFar"},
            [
                'trafficDistribution: Unsupported value: "PreferFar": '
                'supported values: "PreferClose", "PreferSameNode", "PreferSameZone"'
            ],
        ),
    ],
)
def test_how_traffic_reaches_a_service(spec, expected):
    assert said(**spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30500}, []),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "healthCheckNodePort": 30500},
            [
                "healthCheckNodePort: Invalid value: 30500: may only be set when `type` is 'LoadBalancer' "
                "and `externalTrafficPolicy` is 'Local'"
            ],
        ),
        (
            {"type": "NodePort", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30500},
            [
                "healthCheckNodePort: Invalid value: 30500: may only be set when `type` is 'LoadBalancer' "
                "and `externalTrafficPolicy` is 'Local'"
            ],
        ),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 70000},
            ["healthCheckNodePort: Invalid value: 70000: must be between 1 and 65535, inclusive"],
        ),
    ],
)
def test_the_port_of_health_checks(spec, expected):
    assert said(**spec) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", " 2001:db8::/32 "]}, []),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, []),
        ({"type": "LoadBalancer", "loadBalancerClass": "example.com/inner"}, []),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8"]}, [f"LoadBalancerSourceRanges: Forbidden: {BALANCER}"]),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", "10.0.0.1"]},
            [f'LoadBalancerSourceRanges[1]: Invalid value: "10.0.0.1": {BAD_RANGE}'],
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/33"]},
            [f'LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0/33": {BAD_RANGE}'],
        ),
        (
            {"type": "NodePort", "allocateLoadBalancerNodePorts": True},
            [f"allocateLoadBalancerNodePorts: Forbidden: {BALANCER}"],
        ),
        ({"loadBalancerClass": "example.com/inner"}, [f"loadBalancerClass: Forbidden: {BALANCER}"]),
    ],
)
def test_load_balancers(spec, expected):
    assert said(**spec) == expected


def test_the_class_of_a_load_balancer_is_a_qualified_name_and_stays():
    (text,) = said(type="LoadBalancer", loadBalancerClass="a/b/c")
    assert text.startswith('loadBalancerClass: Invalid value: "a/b/c": ')
    old = service(type="LoadBalancer", loadBalancerClass="example.com/inner")
    assert change_faults(kinds.SERVICE, old, lambda obj: obj["spec"].update(loadBalancerClass="example.com/x")) == [
        'spec.loadBalancerClass: Invalid value: "example.com/x": may not change once set'
    ]
    away = {"type": "NodePort", "loadBalancerClass": None}
    assert change_faults(kinds.SERVICE, old, lambda obj: obj["spec"].update(away)) == []


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("203.0.113.7", ""),
        ("2001:db8::7", ""),
        ("nowhere", BAD_IP),
        ("0.0.0.0", "may not be unspecified (0.0.0.0)"),
        ("::", "may not be unspecified (::)"),
        ("127.0.0.1", "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ("169.254.1.1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("fe80::1", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("224.0.0.5", "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ],
)
def test_external_addresses_can_be_reached(address, why):
    expected = [f'externalIPs[0]: Invalid value: "{address}": {why}'] if why else []
    assert said(externalIPs=[address]) == expected


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([{"port": 65535, "targetPort": 1}], []),
        ([{"port": 65536}], ["ports[0].port: Invalid value: 65536: must be between 1 and 65535, inclusive"]),
        ([{"port": -1}], ["ports[0].port: Invalid value: -1: must be between 1 and 65535, inclusive"]),
        (
            [{"port": 1, "targetPort": 0}],
            ["ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"],
        ),
        ([{"port": 1, "targetPort": "a-b"}], []),
        (
            [{"port": 1, "targetPort": "a_b"}],
            [
                'ports[0].targetPort: Invalid value: "a_b": '
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
            ],
        ),
        (
            [{"port": 1, "protocol": "HTTP"}],
            ['ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
        ),
        ([{"port": 1, "appProtocol": "kubernetes.io/h2c"}], []),
        ([{"port": 1, "name": "a"}, {"port": 2}], ["ports[1].name: Required value"]),
    ],
)
def test_ports(ports, expected):
    assert said(ports=ports) == expected


def test_an_application_protocol_is_a_qualified_name():
    (text,) = said(ports=[{"port": 1, "appProtocol": "h t t p"}])
    assert text.startswith('ports[0].appProtocol: Invalid value: "h t t p": name part must consist of')


@pytest.mark.parametrize(
    ("kind", "ports", "expected"),
    [
        ("NodePort", [("TCP", 30001), ("TCP", 30001)], ["ports[1].nodePort: Duplicate value: 30001"]),
        ("NodePort", [("TCP", 30001), ("UDP", 30001)], []),
        ("LoadBalancer", [("TCP", 30001), ("TCP", 30002)], []),
        ("ClusterIP", [("TCP", 30001)], ["ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]),
    ],
)
def test_node_ports_by_type(kind, ports, expected):
    listed = [
        {"name": f"p{at}", "port": at + 1, "protocol": protocol, "nodePort": number}
        for at, (protocol, number) in enumerate(ports)
    ]
    assert said(type=kind, ports=listed) == expected


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_a_service_that_others_reach_is_not_headless(kind):
    assert said(type=kind, clusterIP="None") == [
        f"clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for {kind} services"
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"externalName": "db.example.com"}, []),
        ({"externalName": "db.example.com."}, []),
        ({"externalName": ""}, ["externalName: Required value"]),
        (
            {"externalName": "a", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"},
            [
                "ipFamilies: Forbidden: may not be set for ExternalName services",
                "ipFamilyPolicy: Forbidden: may not be set for ExternalName services",
            ],
        ),
        (
            {"externalName": "a", "clusterIPs": ["10.0.0.1"]},
            ["clusterIPs: Forbidden: may not be set for ExternalName services"],
        ),
    ],
)
def test_services_that_are_names(spec, expected):
    assert said(type="ExternalName", ports=[], **spec) == expected


@pytest.mark.parametrize(
    ("seconds", "good"), [(1, True), (86400, True), (10800, True), (0, False), (-1, False), (86401, False)]
)
def test_clients_are_kept_for_up_to_a_day(seconds, good):
    config = {"clientIP": {"timeoutSeconds": seconds}}
    why = "must be greater than 0 and less than 86400"
    path = "sessionAffinityConfig.clientIP.timeoutSeconds"
    expected = [] if good else [f"{path}: Invalid value: {seconds}: {why}"]
    assert said(sessionAffinity="ClientIP", sessionAffinityConfig=config) == expected


def test_an_affinity_is_of_clients_or_none():
    assert said(sessionAffinity="Cookie") == [
        'sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'
    ]


def test_a_selector_is_made_of_labels():
    assert said(selector={"app": "web", "example.com/tier": ""}) == []
    (key,) = said(selector={"a b": "x"})
    assert key.startswith('selector: Invalid value: "a b": ')
    (value,) = said(selector={"a": "b c"})
    assert value.startswith('selector: Invalid value: "b c": ')


# Changes of type: what a client that says only the new type ends up with (patchAllocatedValues, dropTypeDependent).

OLD = {
    "ClusterIP": {"type": "ClusterIP", "clusterIP": "10.0.0.5", "clusterIPs": ["10.0.0.5"]},
    "NodePort": {
        "type": "NodePort",
        "clusterIP": "10.0.0.5",
        "clusterIPs": ["10.0.0.5"],
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
    },
    "LoadBalancer": {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.5",
        "clusterIPs": ["10.0.0.5"],
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
    },
    "ExternalName": {"type": "ExternalName", "externalName": "a.b", "ports": []},
}


@pytest.mark.parametrize(
    ("before", "after", "address", "node_port"),
    [
        ("ClusterIP", "NodePort", "10.0.0.5", None),
        ("ClusterIP", "ClusterIP", "10.0.0.5", None),
        ("NodePort", "LoadBalancer", "10.0.0.5", 30080),
        ("LoadBalancer", "NodePort", "10.0.0.5", 30080),
        ("NodePort", "ClusterIP", "10.0.0.5", None),
        ("LoadBalancer", "ClusterIP", "10.0.0.5", None),
        ("NodePort", "ExternalName", None, None),
        ("ExternalName", "ClusterIP", None, None),
    ],
)
def test_what_stays_when_the_type_changes(before, after, address, node_port):
    old = service(**OLD[before])
    new = service(type=after, **({"externalName": "c.d"} if after == "ExternalName" else {}))
    prepare_update(kinds.SERVICE, new, old)
    assert new["spec"].get("clusterIP") == address
    assert new["spec"]["ports"][0].get("nodePort") == node_port
    assert change_faults(kinds.SERVICE, old, lambda obj: obj.update(new)) == []


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ({"type": "NodePort", "externalTrafficPolicy": "Cluster"}, "ClusterIP", {"externalTrafficPolicy"}),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True},
            "ClusterIP",
            {"externalTrafficPolicy", "allocateLoadBalancerNodePorts"},
        ),
        (
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "healthCheckNodePort": 30500,
                "loadBalancerClass": "example.com/x",
            },
            "NodePort",
            {"healthCheckNodePort", "loadBalancerClass"},
        ),
        ({"type": "NodePort", "externalTrafficPolicy": "Local"}, "LoadBalancer", set()),
    ],
)
def test_what_only_the_old_type_had_goes_with_it(before, after, gone):
    """`kubectl patch service web -p '{"spec":{"type":"ClusterIP"}}'` leaves the rest as it was read."""
    old = service(**before)
    new = service(**{**before, "type": after})
    prepare_update(kinds.SERVICE, new, old)
    assert before.keys() - new["spec"].keys() == gone
    assert change_faults(kinds.SERVICE, old, lambda obj: obj.update(new)) == []


def test_the_port_of_health_checks_stays_with_its_balancer():
    old = service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30500)
    new = service(type="LoadBalancer", externalTrafficPolicy="Local")
    prepare_update(kinds.SERVICE, new, old)
    assert new["spec"]["healthCheckNodePort"] == 30500


@pytest.mark.parametrize("new", ["10.0.0.6", "None"])
def test_an_address_stays_for_life(new):
    old = service(clusterIP="10.0.0.5", clusterIPs=["10.0.0.5"])
    assert change_faults(kinds.SERVICE, old, lambda obj: obj["spec"].update(clusterIP=new)) == [
        f'spec.clusterIPs[0]: Invalid value: ["{new}"]: may not change once set'
    ]


def test_a_headless_service_stays_headless():
    old = service(clusterIP="None", clusterIPs=["None"])
    assert change_faults(kinds.SERVICE, old, lambda obj: obj["spec"].update(clusterIP="10.0.0.5")) == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.5"]: may not change once set'
    ]


# Nodes and Leases, which the control plane lives by


def node(**spec):
    return named(kinds.NODE, "n1", spec=spec)


@pytest.mark.parametrize(
    ("taints", "expected"),
    [
        ([{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoExecute"}], []),
        ([{"key": "example.com/a", "value": "b", "effect": "PreferNoSchedule"}], []),
        ([{"key": "a"}], ["metadata.taints[0].effect: Required value"]),
        (
            [{"key": "a", "effect": "Never"}],
            [
                'metadata.taints[0].effect: Unsupported value: "Never": '
                'supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"'
            ],
        ),
        (
            [{"key": "a", "value": "x", "effect": "NoSchedule"}, {"key": "a", "value": "y", "effect": "NoSchedule"}],
            [
                'metadata.taints[1]: Duplicate value: {"key":"a","value":"y","effect":"NoSchedule"}: '
                "taints must be unique by key and effect pair"
            ],
        ),
    ],
)
def test_taint_errors_name_the_path_that_kubernetes_names(taints, expected):
    assert faults(kinds.NODE, node(taints=taints)) == expected


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (["10.1.0.0/24"], []),
        (["10.1.0.0/24", "fd00:1::/64"], []),
        (["10.1.0"], [f'spec.podCIDRs[0]: Invalid value: "10.1.0": {BAD_RANGE}']),
        (
            ["10.1.0.0/24", "10.2.0.0/24"],
            [
                'spec.podCIDRs: Invalid value: ["10.1.0.0/24","10.2.0.0/24"]: '
                "may specify no more than one CIDR for each IP family"
            ],
        ),
        (
            ["fd00:1::/64", "fd00:1::/64"],
            [
                'spec.podCIDRs: Invalid value: ["fd00:1::/64","fd00:1::/64"]: '
                "may specify no more than one CIDR for each IP family",
                'spec.podCIDRs[1]: Duplicate value: "fd00:1::/64"',
            ],
        ),
    ],
)
def test_ranges_of_a_nodes_pods(ranges, expected):
    assert faults(kinds.NODE, node(podCIDRs=ranges)) == expected


@pytest.mark.parametrize(
    ("field", "old", "new", "allowed"),
    [
        ("providerID", None, "cloud://1", True),
        ("providerID", "cloud://1", "cloud://1", True),
        ("providerID", "cloud://1", "cloud://2", False),
        ("providerID", "cloud://1", None, False),
        ("podCIDRs", None, ["10.1.0.0/24"], True),
        ("podCIDRs", ["10.1.0.0/24"], ["10.2.0.0/24"], False),
        ("unschedulable", None, True, True),
        ("unschedulable", True, False, True),
        ("taints", None, [{"key": "a", "effect": "NoExecute"}], True),
    ],
)
def test_what_may_change_of_a_node(field, old, new, allowed):
    before = node(**({field: old} if old is not None else {}))
    found = change_faults(kinds.NODE, before, lambda obj: obj["spec"].update({field: new}))
    said_of = {"podCIDRs": "podCIDR"}.get(field, field)
    why = f'Forbidden: node updates may not change {said_of} except from "" to valid'
    assert found == ([] if allowed else [f"spec.{field}: {why}"])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"leaseDurationSeconds": 40, "leaseTransitions": 0, "holderIdentity": "a"}, []),
        ({"leaseDurationSeconds": 0}, ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
        (
            {"leaseTransitions": -1},
            ["spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"],
        ),
        ({"strategy": "OldestEmulationVersion", "preferredHolder": "b"}, []),
        (
            {"preferredHolder": "b"},
            ["spec.preferredHolder: Forbidden: may only be specified when `strategy` is defined"],
        ),
    ],
)
def test_leases(spec, expected):
    assert faults(kinds.LEASE, named(kinds.LEASE, spec=spec)) == expected
