"""Security contexts, and how a Pod finds names: what ValidatePodSpec refuses there, word for word."""

import pytest

from homeostat.api import kinds
from tests.support.rules import container, faults, pod

IDS = "must be between 0 and 2147483647, inclusive"
SYSCTL = (
    "must have at most 253 characters and match regex "
    r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)
POD = "spec.securityContext"
APP = "spec.containers[0].securityContext"
BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def spec_faults(**spec):
    return faults(kinds.POD, pod(**spec))


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, []),
        ({"runAsUser": 0, "runAsGroup": 0, "fsGroup": 0, "supplementalGroups": [0, 1]}, []),
        ({"runAsUser": 2147483647, "runAsNonRoot": True}, []),
        ({"runAsUser": -1}, [f"{POD}.runAsUser: Invalid value: -1: {IDS}"]),
        ({"runAsUser": 2147483648}, [f"{POD}.runAsUser: Invalid value: 2147483648: {IDS}"]),
        ({"runAsGroup": -5}, [f"{POD}.runAsGroup: Invalid value: -5: {IDS}"]),
        ({"fsGroup": -1}, [f"{POD}.fsGroup: Invalid value: -1: {IDS}"]),
        ({"supplementalGroups": [7, -7]}, [f"{POD}.supplementalGroups[1]: Invalid value: -7: {IDS}"]),
        (
            {"fsGroup": -1, "runAsUser": -2, "runAsGroup": -3},
            [
                f"{POD}.fsGroup: Invalid value: -1: {IDS}",
                f"{POD}.runAsUser: Invalid value: -2: {IDS}",
                f"{POD}.runAsGroup: Invalid value: -3: {IDS}",
            ],
        ),
        ({"fsGroupChangePolicy": "OnRootMismatch"}, []),
        (
            {"fsGroupChangePolicy": "Sometimes"},
            [
                f'{POD}.fsGroupChangePolicy: Unsupported value: "Sometimes": '
                'supported values: "Always", "OnRootMismatch"'
            ],
        ),
        ({"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}, {"name": "kernel/shm_rmid_forced"}]}, []),
        ({"sysctls": [{"name": "", "value": "1"}]}, [f"{POD}.sysctls[0].name: Required value"]),
        (
            {"sysctls": [{"name": "Net.ipv4", "value": "1"}]},
            [f'{POD}.sysctls[0].name: Invalid value: "Net.ipv4": {SYSCTL}'],
        ),
        (
            {"sysctls": [{"name": "a..b", "value": "1"}]},
            [f'{POD}.sysctls[0].name: Invalid value: "a..b": {SYSCTL}'],
        ),
        (
            {"sysctls": [{"name": "net.a", "value": "1"}, {"name": "net.a", "value": "2"}]},
            [f'{POD}.sysctls[1].name: Duplicate value: "net.a"'],
        ),
    ],
)
def test_the_security_of_a_pod(context, expected):
    assert spec_faults(securityContext=context) == expected


def test_a_sysctls_name_has_an_end():
    assert spec_faults(securityContext={"sysctls": [{"name": "a" * 253}]}) == []
    (text,) = spec_faults(securityContext={"sysctls": [{"name": "a" * 254}]})
    assert text.endswith(SYSCTL)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hostPID": True}, []),
        ({"shareProcessNamespace": True}, []),
        ({"hostPID": True, "shareProcessNamespace": False}, []),
        (
            {"hostPID": True, "shareProcessNamespace": True},
            [
                f"{POD}.shareProcessNamespace: Invalid value: true: "
                "ShareProcessNamespace and HostPID cannot both be enabled"
            ],
        ),
    ],
)
def test_processes_are_shared_with_the_host_or_among_containers(spec, expected):
    assert spec_faults(**spec) == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({"type": "RuntimeDefault"}, []),
        ({"type": "Unconfined"}, []),
        ({"type": "Localhost", "localhostProfile": "profiles/audit.json"}, []),
        ({}, [".type: Required value: type is required when seccompProfile is set"]),
        (
            {"type": "Docker"},
            ['.type: Unsupported value: "Docker": supported values: "Localhost", "RuntimeDefault", "Unconfined"'],
        ),
        ({"type": "Localhost"}, [".localhostProfile: Required value: must be set when seccomp type is Localhost"]),
        (
            {"type": "Localhost", "localhostProfile": "/etc/p.json"},
            ['.localhostProfile: Invalid value: "/etc/p.json": must be a relative path'],
        ),
        (
            {"type": "Localhost", "localhostProfile": "a/../p.json"},
            [".localhostProfile: Invalid value: \"a/../p.json\": must not contain '..'"],
        ),
        (
            {"type": "RuntimeDefault", "localhostProfile": "p.json"},
            [
                '.localhostProfile: Invalid value: {"type":"RuntimeDefault","localhostProfile":"p.json"}: '
                "can only be set when seccomp type is Localhost"
            ],
        ),
    ],
)
@pytest.mark.parametrize("of", ["pod", "container"])
def test_seccomp_profiles_of_pods_and_containers(of, profile, expected):
    context = {"seccompProfile": profile}
    if of == "pod":
        found, where = spec_faults(securityContext=context), POD
    else:
        found, where = spec_faults(containers=[container(securityContext=context)]), APP
    assert found == [f"{where}.seccompProfile{text}" for text in expected]


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"privileged": True}, []),
        ({"allowPrivilegeEscalation": False}, []),
        ({"allowPrivilegeEscalation": True, "privileged": True}, []),
        ({"allowPrivilegeEscalation": False, "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}, []),
        ({"runAsUser": 4294967295}, [f"{APP}.runAsUser: Invalid value: 4294967295: {IDS}"]),
        ({"runAsGroup": -1}, [f"{APP}.runAsGroup: Invalid value: -1: {IDS}"]),
        ({"procMount": "Default"}, []),
        (
            {"procMount": "Open"},
            [f'{APP}.procMount: Unsupported value: "Open": supported values: "Default", "Unmasked"'],
        ),
        (
            {"allowPrivilegeEscalation": False, "privileged": True},
            [
                f'{APP}: Invalid value: {{"allowPrivilegeEscalation":false,"privileged":true}}: '
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            ],
        ),
        (
            {"allowPrivilegeEscalation": False, "capabilities": {"add": ["CAP_SYS_ADMIN"]}},
            [
                f'{APP}: Invalid value: {{"allowPrivilegeEscalation":false,"capabilities":{{"add":["CAP_SYS_ADMIN"]}}}}'
                ": cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            ],
        ),
    ],
)
def test_the_security_of_a_container(context, expected):
    assert spec_faults(containers=[container(securityContext=context)]) == expected


def test_the_security_of_init_containers_is_judged_alike():
    init = container("first", securityContext={"runAsUser": -1})
    assert spec_faults(initContainers=[init]) == [
        f"spec.initContainers[0].securityContext.runAsUser: Invalid value: -1: {IDS}"
    ]


# Names


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}}, []),
        ({"dnsPolicy": "Default", "dnsConfig": {}}, []),
        (
            {"dnsPolicy": "None"},
            ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
        ),
        (
            {"dnsPolicy": "None", "dnsConfig": {"searches": ["a.b"]}},
            [
                "spec.dnsConfig.nameservers: Required value: "
                "must provide at least one DNS nameserver when `dnsPolicy` is None"
            ],
        ),
        (
            {"dnsPolicy": "Cluster"},
            [
                'spec.dnsPolicy: Unsupported value: "Cluster": supported values: '
                '"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"'
            ],
        ),
        ({"dnsConfig": {"nameservers": ["fd00::10", "1.1.1.1"]}}, []),
        (
            {"dnsConfig": {"nameservers": ["dns.example"]}},
            [f'spec.dnsConfig.nameservers[0]: Invalid value: "dns.example": {BAD_IP}'],
        ),
        (
            {"dnsConfig": {"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]}},
            [
                'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: '
                "must not have more than 3 nameservers"
            ],
        ),
        ({"dnsConfig": {"searches": [".", "a.b.", "_tcp.example", "svc.cluster.local"]}}, []),
        ({"dnsConfig": {"options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}}, []),
        (
            {"dnsConfig": {"options": [{"name": "ndots"}, {"value": "2"}]}},
            ["spec.dnsConfig.options[1]: Required value: must not be empty"],
        ),
    ],
)
def test_dns_of_a_pod(spec, expected):
    assert spec_faults(**spec) == expected


def test_search_paths_are_names_and_not_too_many():
    (text,) = spec_faults(dnsConfig={"searches": ["ok.example", "Bad!"]})
    assert text.startswith('spec.dnsConfig.searches[1]: Invalid value: "Bad!": a lowercase RFC 1123 subdomain must')
    assert spec_faults(dnsConfig={"searches": ["a.b"] * 32}) == []
    (many,) = spec_faults(dnsConfig={"searches": ["a.b"] * 33})
    assert many.endswith("must not have more than 32 search paths")
    ten = ["a" * 60 + "." + "b" * 60 + "." + "c" * 60 + "." + str(n) for n in range(12)]
    (long,) = spec_faults(dnsConfig={"searches": ten})
    assert long.endswith("must not have more than 2048 characters (including spaces) in the search list")


@pytest.mark.parametrize(
    ("aliases", "expected"),
    [
        ([{"ip": "10.0.0.1", "hostnames": ["a", "b.example"]}], []),
        ([{"ip": "::1", "hostnames": ["six"]}], []),
        ([{"ip": "10.0.0"}], [f'spec.hostAliases[0].ip: Invalid value: "10.0.0": {BAD_IP}']),
        ([{"hostnames": ["a"]}], [f'spec.hostAliases[0].ip: Invalid value: "": {BAD_IP}']),
        ([{"ip": "fe80::1%eth0"}], [f'spec.hostAliases[0].ip: Invalid value: "fe80::1%eth0": {BAD_IP}']),
    ],
)
def test_host_aliases(aliases, expected):
    assert spec_faults(hostAliases=aliases) == expected


def test_host_names_of_aliases_are_subdomains():
    (text,) = spec_faults(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["good", "no_good"]}])
    assert text.startswith('spec.hostAliases[0].hostnames[1]: Invalid value: "no_good": a lowercase RFC 1123')


@pytest.mark.parametrize("mode", [None, "None", "HostToContainer"])
def test_mounts_that_come_from_the_host_need_no_privilege(mode):
    mounts = [{"name": "d", "mountPath": "/d", **({"mountPropagation": mode} if mode else {})}]
    assert spec_faults(volumes=[{"name": "d", "emptyDir": {}}], containers=[container(volumeMounts=mounts)]) == []


@pytest.mark.parametrize(
    ("mode", "privileged", "expected"),
    [
        ("Bidirectional", True, []),
        (
            "Bidirectional",
            False,
            ["Forbidden: Bidirectional mount propagation is available only to privileged containers"],
        ),
        (
            "Both",
            True,
            ['Unsupported value: "Both": supported values: "Bidirectional", "HostToContainer", "None"'],
        ),
    ],
)
def test_mounts_that_go_to_the_host_need_privilege(mode, privileged, expected):
    mounts = [{"name": "d", "mountPath": "/d", "mountPropagation": mode}]
    own = container(volumeMounts=mounts, securityContext={"privileged": privileged})
    found = spec_faults(volumes=[{"name": "d", "emptyDir": {}}], containers=[own])
    assert found == [f"spec.containers[0].volumeMounts[0].mountPropagation: {text}" for text in expected]
