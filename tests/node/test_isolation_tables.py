"""What isolation asks of the kernel, of resolvers and of registries, in tables: one row a rule of the kubelet."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from homeostat.node.images.credentials import credentials
from homeostat.node.images.names import is_reference, with_tag
from homeostat.node.isolation import figures, names, security
from homeostat.node.isolation.names import Resolver
from homeostat.node.isolation.security import Profiles
from homeostat.node.podspec import unsupported
from homeostat.runtime.contract import Dns, Resources

Obj = dict[str, Any]
GIB = 1 << 30


def pod(*containers: Obj, **more: Any) -> Obj:
    made = [{"name": f"c{place}", **each} for place, each in enumerate(containers)]
    return {"metadata": {"name": "web", "namespace": "shop", "uid": "u-1"}, "spec": {"containers": made, **more}}


def asks(cpu: str = "", memory: str = "", *, side: str = "requests") -> Obj:
    return {"resources": {side: {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}}}


# CPU: cm/helpers_linux.go


@pytest.mark.parametrize(
    ("milli", "shares", "quota"),
    [
        (0, 2, 0),
        (1, 2, 1000),
        (2, 2, 1000),
        (10, 10, 1000),
        (100, 102, 10_000),
        (500, 512, 50_000),
        (1000, 1024, 100_000),
        (3500, 3584, 350_000),
        (1_000_000, 262_144, 100_000_000),
    ],
)
def test_shares_and_quota(milli: int, shares: int, quota: int) -> None:
    assert (figures.shares(milli), figures.quota(milli)) == (shares, quota)


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (262_144, 10_000), (512, 20)])
def test_weights_of_cgroup_v2(shares: int, weight: int) -> None:
    assert figures.weight(shares) == weight


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, Resources(cpu_shares=2, oom_score_adj=1000)),
        (asks("100m"), Resources(cpu_shares=102, oom_score_adj=999)),
        (asks("1", side="limits"), Resources(1024, 100_000, 100_000, oom_score_adj=999)),
        (asks(memory="1Gi"), Resources(cpu_shares=2, oom_score_adj=750)),
        (asks("1", "1Gi", side="limits"), Resources(1024, 100_000, 100_000, GIB, -997)),
    ],
)
def test_a_container_in_the_kernels_terms(container: Obj, expected: Resources) -> None:
    whole = pod(container)
    assert figures.container_resources(whole, whole["spec"]["containers"][0], 4 * GIB) == expected


@pytest.mark.parametrize(
    ("request_", "score"), [("1", 999), ("40Mi", 991), ("2Gi", 500), ("4090Mi", 3), ("4Gi", 3), ("100Gi", 3)]
)
def test_the_order_of_ends_when_memory_runs_out(request_: str, score: int) -> None:
    """qos/policy.go: who asks for more memory ends later, none sooner than best effort or later than guaranteed."""
    whole = pod(asks(memory=request_))
    assert figures.oom_score_adj(whole, whole["spec"]["containers"][0], 4 * GIB) == score


def test_a_critical_pod_ends_last_and_a_sidecar_not_before_its_app() -> None:
    critical = pod({}, priority=2_000_001_000)
    assert figures.oom_score_adj(critical, critical["spec"]["containers"][0], GIB) == -997
    sidecar = {"name": "s", "restartPolicy": "Always", **asks(memory="1Mi")}
    whole = pod(asks(memory="512Mi"), initContainers=[sidecar])
    assert figures.oom_score_adj(whole, sidecar, GIB) == 500


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (pod({}), Resources(cpu_shares=2)),
        (pod(asks("100m"), asks("200m")), Resources(cpu_shares=307)),
        (pod(asks("1", "1Gi", side="limits")), Resources(1024, 100_000, 100_000, GIB)),
        # One container without a limit: the pod has none.
        (pod(asks("1", "1Gi", side="limits"), asks("1")), Resources(cpu_shares=2048)),
        # The largest init container counts, when it is larger than all apps together.
        (pod(asks("1"), initContainers=[{"name": "i", **asks("3")}]), Resources(cpu_shares=3072)),
        (
            pod(asks("1"), initContainers=[{"name": "s", "restartPolicy": "Always", **asks("1")}]),
            Resources(cpu_shares=2048),
        ),
        (pod(asks("1"), overhead={"cpu": "500m"}), Resources(cpu_shares=1536)),
    ],
)
def test_a_pod_in_the_kernels_terms(whole: Obj, expected: Resources) -> None:
    assert figures.pod_resources(whole) == expected


@pytest.mark.parametrize(
    ("whole", "path"),
    [
        (pod({}), "/kubepods/besteffort/podu-1"),
        (pod(asks("1")), "/kubepods/burstable/podu-1"),
        (pod(asks("1", "1Gi", side="limits")), "/kubepods/podu-1"),
    ],
)
def test_where_a_pod_is_limited(whole: Obj, path: str) -> None:
    assert figures.cgroup_of(whole, "u-1") == path


def test_burstable_pods_share_what_they_ask_for() -> None:
    pods = [pod(asks("1")), pod(asks("2")), pod({}), pod(asks("1", "1Gi", side="limits"))]
    assert figures.burstable_shares(pods) == 3072


# Security


@pytest.mark.parametrize(
    ("shared", "own", "field", "expected"),
    [
        ({"runAsUser": 5}, {}, "user", 5),
        ({"runAsUser": 5}, {"runAsUser": 7}, "user", 7),
        ({}, {}, "user", None),
        ({"runAsUser": 5, "runAsGroup": 6}, {"runAsGroup": 0}, "group", 0),
        ({"fsGroup": 9, "supplementalGroups": [8, 9, 8]}, {}, "supplemental_groups", (8, 9)),
        ({}, {"privileged": True}, "privileged", True),
        ({}, {"allowPrivilegeEscalation": False}, "no_new_privileges", True),
        ({}, {"allowPrivilegeEscalation": True}, "no_new_privileges", False),
        ({}, {"capabilities": {"add": ["CAP_SYS_TIME", "net_admin"]}}, "capabilities_add", ("SYS_TIME", "NET_ADMIN")),
        ({}, {"procMount": "Unmasked"}, "proc_unmasked", True),
        ({}, {}, "seccomp", "Unconfined"),
        ({"seccompProfile": {"type": "RuntimeDefault"}}, {}, "seccomp", "RuntimeDefault"),
        ({"seccompProfile": {"type": "RuntimeDefault"}}, {"privileged": True}, "seccomp", "Unconfined"),
        (
            {},
            {"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}},
            "seccomp",
            "Localhost//seccomp/a.json",
        ),
    ],
)
def test_a_containers_context_over_its_pods(shared: Obj, own: Obj, field: str, expected: object) -> None:
    whole = pod({"securityContext": own}, securityContext=shared)
    made = security.container_security(whole, whole["spec"]["containers"][0], None, Profiles(folder="/seccomp"))
    assert getattr(made, field) == expected


@pytest.mark.parametrize(("image_user", "user"), [("", 0), ("12", 12), ("www", None), (None, None)])
def test_a_group_alone_goes_with_the_images_user(image_user: str | None, user: int | None) -> None:
    whole = pod({"securityContext": {"runAsGroup": 6}})
    container = whole["spec"]["containers"][0]
    assert security.asks_image_user(whole, container)
    assert security.container_security(whole, container, image_user, Profiles()).user == user


def test_a_sandbox_is_privileged_where_a_container_is() -> None:
    whole = pod({}, {"securityContext": {"privileged": True}}, securityContext={"runAsGroup": 6})
    made = security.sandbox_security(whole, Profiles())
    assert (made.privileged, made.group, made.seccomp) == (True, None, "RuntimeDefault")


@pytest.mark.parametrize(
    ("name", "more", "refused"),
    [
        ("net.ipv4.tcp_syncookies", {}, ""),
        ("net/ipv4/tcp_syncookies", {}, ""),
        ("net.ipv4.tcp_syncookies", {"hostNetwork": True}, "not allowed with host net enabled"),
        ("kernel.shm_rmid_forced", {}, ""),
        ("kernel.shm_rmid_forced", {"hostIPC": True}, "not allowed with host ipc enabled"),
        ("kernel.msgmax", {}, "not allowlisted"),
        ("net.core.somaxconn", {}, ""),
    ],
)
def test_sysctls(name: str, more: Obj, refused: str) -> None:
    whole = pod({}, securityContext={"sysctls": [{"name": name, "value": "1"}]}, **more)
    trouble = security.sysctl_refusal(whole, ("net.core.*",))
    assert (refused in trouble.message) if trouble else not refused


@pytest.mark.parametrize(
    ("shared", "own", "user"),
    [({}, [{}, {}], None), ({"runAsUser": 5}, [{}, {}], 5), ({"runAsUser": 5}, [{}, {"runAsUser": 6}], None)],
)
def test_whom_a_token_belongs_to(shared: Obj, own: list[Obj], user: int | None) -> None:
    whole = pod(*({"securityContext": context} for context in own), securityContext=shared)
    assert security.file_user(whole) == user


@pytest.mark.parametrize(
    ("whole", "named"),
    [
        (pod({}), []),
        (pod({}, hostUsers=True), []),
        (pod({}, hostUsers=False), []),
        (
            pod({}, securityContext={"supplementalGroupsPolicy": "Strict", "seLinuxOptions": {"level": "s0"}}),
            ["securityContext.seLinuxOptions", "securityContext.supplementalGroupsPolicy"],
        ),
        (
            pod({"resources": {"limits": {"hugepages-2Mi": "2Mi"}}, "securityContext": {"windowsOptions": {"x": 1}}}),
            ["containers[].resources.limits.hugepages-2Mi", "containers[].securityContext.windowsOptions"],
        ),
        (
            pod({"volumeMounts": [{"name": "v", "recursiveReadOnly": "Enabled"}]}),
            ["containers[].volumeMounts[].recursiveReadOnly"],
        ),
    ],
)
def test_what_changes_nothing_is_named(whole: Obj, named: list[str]) -> None:
    assert unsupported.not_done(whole) == named


# Names

NODE = Dns(("1.1.1.1",), ("lan",), ("edns0",))
RESOLVER = Resolver(("10.96.0.10",), "cluster.local", NODE)
CLUSTER = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Dns(("10.96.0.10",), CLUSTER, ("ndots:5",))),
        ({"hostNetwork": True}, NODE),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, Dns(("10.96.0.10",), CLUSTER, ("ndots:5",))),
        ({"dnsPolicy": "Default"}, NODE),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["9.9.9.9"]}}, Dns(("9.9.9.9",))),
        (
            {"dnsPolicy": "Default", "dnsConfig": {"nameservers": ["1.1.1.1", "9.9.9.9"], "searches": ["lan", "a.b"]}},
            Dns(("1.1.1.1", "9.9.9.9"), ("lan", "a.b"), ("edns0",)),
        ),
        (
            {"dnsConfig": {"options": [{"name": "ndots", "value": "2"}, {"name": "debug"}]}},
            Dns(("10.96.0.10",), CLUSTER, ("ndots:2", "debug")),
        ),
    ],
)
def test_how_a_pod_finds_names(body: Obj, expected: Dns) -> None:
    found = names.resolution(pod({}, **body), RESOLVER)
    assert (found.dns, found.warnings) == (expected, ())


def test_resolv_conf_beyond_the_c_librarys_limits_is_cut_and_reported() -> None:
    config = {"nameservers": [f"10.0.0.{place}" for place in range(3)], "searches": [f"s{i}.org" for i in range(40)]}
    found = names.resolution(pod({}, dnsConfig=config), RESOLVER)
    assert len(found.dns.servers) == 3
    assert len(found.dns.searches) == 32
    assert [reason for reason, _ in found.warnings] == ["DNSConfigForming"] * 2
    assert found.warnings[0][1].endswith("the applied nameserver line is: 10.96.0.10 10.0.0.0 10.0.0.1")


def test_a_node_without_cluster_dns_falls_back_and_says_so() -> None:
    found = names.resolution(pod({}), Resolver(node=NODE))
    assert found.dns == NODE
    assert found.warnings[0][0] == "MissingClusterDNS"


def test_a_resolv_conf_is_read() -> None:
    text = "# a comment\nnameserver 1.1.1.1 # why\ndomain old\nsearch a b\noptions ndots:2\noptions debug\n;x\n"
    assert names.parse_resolv_conf(text) == Dns(("1.1.1.1",), ("a", "b"), ("ndots:2", "debug"))


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ({}, "web"),
        ({"hostname": "first"}, "first"),
        ({"hostname": "first", "subdomain": "sub", "setHostnameAsFQDN": True}, "first.sub.shop.svc.cluster.local"),
        ({"setHostnameAsFQDN": True}, "web"),
        ({"hostNetwork": True}, "node-1"),
        ({"hostNetwork": True, "hostnameOverride": "mine"}, "mine"),
    ],
)
def test_the_name_that_processes_see(body: Obj, seen: str) -> None:
    assert names.sandbox_host_name(pod({}, **body), "cluster.local", "node-1") == seen


def test_long_names_are_cut_to_what_a_host_may_have() -> None:
    long = pod({})
    long["metadata"]["name"] = "a" * 62 + "-b"
    assert names.host_names(long, "cluster.local") == ("a" * 62, "")


def test_hosts_files() -> None:
    alias = {"ip": "1.2.3.4", "hostnames": ["x", "y"]}
    own = names.hosts_file(pod({}, hostAliases=[alias]), ("10.1.0.7",), "cluster.local")
    assert own.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert own.endswith("10.1.0.7\tweb\n\n# Entries added by HostAliases.\n1.2.3.4\tx\ty\n")
    shared = names.node_hosts_file(pod({}), "127.0.0.1 localhost\n")
    assert shared == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"


# Registries: pkg/credentialprovider


def secret(entries: Obj, *, old: bool = False) -> Obj:
    field, body = (".dockercfg", entries) if old else (".dockerconfigjson", {"auths": entries})
    data = {field: base64.b64encode(json.dumps(body).encode()).decode()}
    return {"type": f"kubernetes.io/{field[1:]}", "data": data}


def entry(word: str) -> Obj:
    return {"auth": base64.b64encode(f"user:{word}".encode()).decode()}


@pytest.mark.parametrize(
    ("key", "image", "matches"),
    [
        ("registry.local", "registry.local/app", True),
        ("registry.local", "other.local/app", False),
        ("https://registry.local/v1/", "registry.local/app", True),
        ("registry.local:5000", "registry.local:5000/app:1", True),
        ("registry.local", "registry.local:5000/app:1", False),
        ("registry.local/team", "registry.local/team/app", True),
        ("registry.local/team", "registry.local/other/app", False),
        ("*.local", "registry.local/app", True),
        ("*.local", "a.registry.local/app", False),
        ("https://index.docker.io/v1/", "busybox", True),
        ("https://index.docker.io/v1/", "library/busybox:1", True),
        ("docker.io", "docker.io/library/busybox", True),
        ("https://index.docker.io/v1/", "registry.local/busybox", False),
    ],
)
@pytest.mark.parametrize("old", [True, False])
def test_which_credentials_are_for_an_image(key: str, image: str, matches: bool, old: bool) -> None:
    found = credentials(image, [secret({key: entry("word")}, old=old)])
    assert [auth.password for auth in found] == (["word"] if matches else [])


def test_more_specific_credentials_come_first() -> None:
    entries = {"r.local": entry("general"), "r.local/team/app": entry("closest"), "r.local/team": entry("close")}
    found = credentials("r.local/team/app:1", [secret(entries)])
    assert [auth.password for auth in found] == ["closest", "close", "general"]


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "Opaque", "data": {}},
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "bm90anNvbg=="}},
        {"type": "kubernetes.io/dockerconfigjson", "data": {}},
        secret({"r.local": {"auth": "///"}}),
        secret({"r.local": "text"}),
    ],
)
def test_a_secret_that_cannot_be_read_gives_nothing(broken: Obj) -> None:
    assert credentials("r.local/app", [broken]) == []


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:1.2", "busybox:1.2"),
        ("r.local:5000/a/b_c", "r.local:5000/a/b_c:latest"),
        ("app@sha256:" + "0" * 64, "app@sha256:" + "0" * 64),
        ("Upper.local/app", "Upper.local/app:latest"),
    ],
)
def test_image_names(image: str, whole: str) -> None:
    assert is_reference(image)
    assert with_tag(image) == whole


@pytest.mark.parametrize("image", ["", "App", "a b", "a:", "a/", "a@sha256:00", ":1", "a::1", "-a"])
def test_what_is_no_image_name(image: str) -> None:
    assert not is_reference(image)
