"""The pure parts of the CRI runtime: requests, answers, labels, names of images, faults, containerd's configuration."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.runtime.contract import ContainerState, RuntimeFault
from homeostat.runtime.cri import answers, fault_reasons, labels, reference, requests
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri.containerd_config import EngineConfig, containerd_config
from homeostat.runtime.spec import (
    ContainerSpec,
    Dns,
    ImageAuth,
    Mount,
    PortMapping,
    Resources,
    SandboxSpec,
    Security,
)

WEB = SandboxSpec(pod_uid="u1", namespace="shop", name="web", log_directory="/var/log/pods/shop_web_u1")
MAIN = ContainerSpec(name="main", image="busybox", log_path="/var/log/pods/shop_web_u1/main/0.log")


# -- labels ------------------------------------------------------------------------------------------------------------


def test_what_runs_carries_the_kubelets_own_labels_so_that_other_tools_know_it() -> None:
    # pkg/kubelet/types/labels.go, pkg/kubelet/kuberuntime/labels.go
    spec = replace(MAIN, attempt=2, spec_hash="cafe")
    assert labels.container_labels(spec, WEB) == {
        "io.kubernetes.container.name": "main",
        "io.kubernetes.pod.name": "web",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": "u1",
    }
    written = labels.container_annotations(spec)
    assert written["io.kubernetes.container.hash"] == "cafe"
    assert written["io.kubernetes.container.restartCount"] == "2"


words = st.text(max_size=8)
pairs = st.dictionaries(words, words, max_size=3)
securities = st.builds(
    Security,
    user=st.none() | st.integers(0, 2**31),
    supplemental_groups=st.lists(st.integers(0, 9), max_size=2).map(tuple),
    seccomp=st.sampled_from(["Unconfined", "RuntimeDefault", "Localhost/x.json"]),
    privileged=st.booleans(),
)
sandboxes = st.builds(
    SandboxSpec,
    pod_uid=words,
    namespace=words,
    name=words,
    attempt=st.integers(0, 99),
    labels=st.dictionaries(words.map("app/".__add__), words, max_size=3),
    annotations=st.dictionaries(words.map("note/".__add__), words, max_size=3),
    sysctls=pairs,
    dns=st.none() | st.builds(Dns, servers=st.lists(words, max_size=2).map(tuple)),
    ports=st.lists(st.builds(PortMapping, st.integers(1, 9), st.integers(1, 9)), max_size=2).map(tuple),
    security=securities,
)
containers = st.builds(
    ContainerSpec,
    name=words,
    image=words,
    attempt=st.integers(0, 99),
    command=st.lists(words, max_size=2).map(tuple),
    mounts=st.lists(st.builds(Mount, words, words, read_only=st.booleans()), max_size=2).map(tuple),
    security=securities,
    resources=st.builds(Resources, cpu_quota=st.integers(-1, 9), memory_limit_bytes=st.integers(0, 2**40)),
    env=st.lists(st.tuples(words, words), max_size=2).map(tuple),
)


@settings(max_examples=30)
@given(sandboxes)
def test_a_sandbox_is_read_back_as_it_was_asked_for(spec: SandboxSpec) -> None:
    assert labels.read_sandbox(labels.sandbox_labels(spec), labels.sandbox_annotations(spec)) == spec


@settings(max_examples=30)
@given(containers)
def test_a_container_is_read_back_as_it_was_asked_for_without_its_environment(spec: ContainerSpec) -> None:
    read = labels.read_container(labels.container_labels(spec, WEB), labels.container_annotations(spec), spec.image)
    assert read == replace(spec, env=())


@pytest.mark.parametrize("text", [None, "{", '{"name": 7}', "[]"])
def test_another_agents_container_is_known_by_the_kubelets_labels_alone(text: str | None) -> None:
    written = {labels.HASH: "cafe", labels.RESTARTS: "4"} | ({labels.SPEC: text} if text is not None else {})
    read = labels.read_container(labels.container_labels(MAIN, WEB), written, "busybox")
    assert read == ContainerSpec(name="main", image="busybox", attempt=4, spec_hash="cafe")
    assert labels.read_sandbox({labels.POD_UID: "u1"}, {}) == SandboxSpec("u1", "", "")


# -- requests ----------------------------------------------------------------------------------------------------------


def modes(option: cri.NamespaceOption) -> tuple[str, str, str]:
    return tuple(cri.NamespaceMode.Name(mode) for mode in (option.network, option.pid, option.ipc))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("POD", "CONTAINER", "POD")),
        ({"share_processes": True}, ("POD", "POD", "POD")),
        ({"host_pid": True, "share_processes": True}, ("POD", "NODE", "POD")),
        ({"host_network": True, "host_ipc": True}, ("NODE", "CONTAINER", "NODE")),
    ],
)
def test_a_pods_namespaces(fields: dict[str, bool], expected: tuple[str, str, str]) -> None:
    # pkg/kubelet/util/util.go, NamespacesForPod
    spec = replace(WEB, **fields)  # type: ignore[arg-type]
    assert modes(requests.sandbox(spec).linux.security_context.namespace_options) == expected
    config, _ = requests.container(MAIN, requests.Place(spec))
    assert modes(config.linux.security_context.namespace_options) == expected
    config, _ = requests.container(replace(MAIN, target_id="c9"), requests.Place(spec))
    target = config.linux.security_context.namespace_options
    assert (cri.NamespaceMode.Name(target.pid), target.target_id) == ("TARGET", "c9")


def test_a_pod_of_the_hosts_network_has_no_ports_and_no_name_of_its_own() -> None:
    ports = (PortMapping(80, 8080, "UDP", "10.0.0.1"),)
    own = requests.sandbox(replace(WEB, ports=ports, hostname="chosen"))
    assert own.hostname == "chosen"
    (port,) = own.port_mappings
    assert (port.container_port, port.host_port, port.protocol, port.host_ip) == (80, 8080, cri.UDP, "10.0.0.1")
    assert requests.sandbox(WEB).hostname == "web"
    host = requests.sandbox(replace(WEB, ports=ports, hostname="chosen", host_network=True))
    assert (host.hostname, list(host.port_mappings)) == ("", [])


def test_a_sandbox_runs_with_the_default_seccomp_profile_and_no_group_without_a_user() -> None:
    # kuberuntime_sandbox_linux.go; the engine refuses a group alone
    context = requests.sandbox(replace(WEB, security=Security(group=7))).linux.security_context
    assert context.seccomp.profile_type == cri.SecurityProfile.RuntimeDefault
    assert not context.HasField("run_as_group")
    context = requests.sandbox(replace(WEB, security=Security(user=0, group=7))).linux.security_context
    assert (context.run_as_user.value, context.run_as_group.value) == (0, 7)
    assert context.HasField("run_as_user")


@pytest.mark.parametrize(
    ("image_user", "number", "name"), [("", 0, ""), ("1000", 1000, ""), ("1000:5", 1000, ""), ("www", 0, "www")]
)
def test_a_group_alone_goes_with_the_images_user(image_user: str, number: int, name: str) -> None:
    spec = replace(MAIN, security=Security(group=7))
    config, _ = requests.container(spec, requests.Place(WEB, image_user=image_user))
    context = config.linux.security_context
    assert (context.run_as_user.value, context.run_as_username, context.run_as_group.value) == (number, name, 7)
    assert context.HasField("run_as_user") != bool(name)


@pytest.mark.parametrize(
    ("directory", "path", "expected"),
    [
        ("/logs/pod", "/logs/pod/main/0.log", ("/logs/pod", "main/0.log")),
        ("", "/logs/pod/main/0.log", ("/logs/pod/main", "0.log")),
        ("/logs/pod", "/elsewhere/0.log", ("/elsewhere", "0.log")),
        ("/logs/pod", "", ("/logs/pod", "")),
    ],
)
def test_a_log_lies_below_its_sandboxs_folder(directory: str, path: str, expected: tuple[str, str]) -> None:
    place = requests.Place(replace(WEB, log_directory=directory))
    config, pod = requests.container(replace(MAIN, log_path=path), place)
    assert (pod.log_directory, config.log_path) == expected


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("RuntimeDefault", "RuntimeDefault", ""),
        ("Unconfined", "Unconfined", ""),
        ("Localhost/a/b.json", "Localhost", "/profiles/a/b.json"),
    ],
)
def test_seccomp_profiles(text: str, kind: str, name: str) -> None:
    spec = replace(MAIN, security=Security(seccomp=text))
    config, _ = requests.container(spec, requests.Place(WEB, seccomp_root="/profiles"))
    context = config.linux.security_context
    assert cri.SecurityProfile.ProfileType.Name(context.seccomp.profile_type) == kind
    assert context.seccomp.localhost_ref == name
    assert not context.HasField("apparmor"), "an engine without AppArmor refuses every profile"


def test_an_apparmor_profile_is_a_name_of_the_kernels() -> None:
    config, _ = requests.container(replace(MAIN, security=Security(apparmor="Localhost/mine")), requests.Place(WEB))
    assert config.linux.security_context.apparmor.localhost_ref == "mine"


def test_the_kernels_dangerous_files_are_masked_unless_proc_is_unmasked() -> None:
    config, _ = requests.container(MAIN, requests.Place(WEB))
    context = config.linux.security_context
    assert {"/proc/kcore", "/proc/keys", "/sys/firmware"} <= set(context.masked_paths)
    assert set(context.readonly_paths) == {f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger")}
    unmasked = replace(MAIN, security=Security(proc_unmasked=True))
    config, _ = requests.container(unmasked, requests.Place(WEB))
    assert not config.linux.security_context.masked_paths
    assert not config.linux.security_context.readonly_paths


def test_a_container_in_full() -> None:
    spec = replace(
        MAIN,
        command=("run",),
        args=("-v",),
        env=(("A", "b"), ("EMPTY", "")),
        working_dir="/srv",
        mounts=(Mount("/m", "/h", read_only=True, propagation="Bidirectional"),),
        security=Security(capabilities_add=("NET_ADMIN",), capabilities_drop=("ALL",), read_only_root=True),
        resources=Resources(512, 50_000, 100_000, 1 << 20, 998, "0-1"),
        stdin=True,
        tty=True,
        stop_signal="SIGQUIT",
    )
    config, _ = requests.container(spec, requests.Place(WEB))
    assert (list(config.command), list(config.args), config.working_dir) == (["run"], ["-v"], "/srv")
    assert [(env.key, env.value) for env in config.envs] == [("A", b"b"), ("EMPTY", b"")]
    (mount,) = config.mounts
    assert (mount.container_path, mount.host_path, mount.readonly) == ("/m", "/h", True)
    assert mount.propagation == cri.PROPAGATION_BIDIRECTIONAL
    limits = config.linux.resources
    assert (limits.cpu_shares, limits.cpu_quota, limits.cpu_period) == (512, 50_000, 100_000)
    assert (limits.memory_limit_in_bytes, limits.oom_score_adj, limits.cpuset_cpus) == (1 << 20, 998, "0-1")
    assert list(config.linux.security_context.capabilities.add_capabilities) == ["NET_ADMIN"]
    assert (config.stdin, config.stdin_once, config.tty) == (True, False, True)
    assert config.stop_signal == cri.SIGNAL_SIGQUIT


@pytest.mark.parametrize(("name", "expected"), [("SIGTERM", 0), ("SIGUSR1", 29), ("SIGNONE", 0), ("", 0)])
def test_the_usual_stop_signal_is_left_to_the_image(name: str, expected: int) -> None:
    config, _ = requests.container(replace(MAIN, stop_signal=name), requests.Place(WEB))
    assert config.stop_signal == expected


def test_credentials_go_as_they_are() -> None:
    assert requests.credentials(None) is None
    given_auth = requests.credentials(ImageAuth("me", "secret", "registry", "it", "rt"))
    assert given_auth == cri.AuthConfig(
        username="me", password="secret", server_address="registry", identity_token="it", registry_token="rt"
    )


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [(0, "Completed", ""), (3, "Error", ""), (137, "OOMKilled", "OOMKilled"), (128, "StartError", "StartError")],
)
def test_an_end_has_a_reason_only_when_the_code_does_not_say_it(code: int, said: str, reason: str) -> None:
    status = cri.ContainerStatus(
        id="c", state=cri.CONTAINER_EXITED, exit_code=code, reason=said, started_at=10**9, finished_at=2 * 10**9
    )
    found = answers.container(status, "p")
    assert (found.state, found.exit_code, found.reason) == (ContainerState.EXITED, code, reason)
    assert found.started_at == (0.0 if reason == "StartError" else 1.0)
    assert found.finished_at == 2.0


def test_a_pod_of_the_hosts_network_has_the_nodes_address() -> None:
    status = cri.PodSandboxStatus(id="p", network=cri.PodSandboxNetworkStatus(ip="10.0.0.9"))
    assert answers.sandbox(status, node_address="192.0.2.1").ip == "10.0.0.9"
    status.linux.namespaces.options.network = cri.NODE
    assert answers.sandbox(status, node_address="192.0.2.1").ip == "192.0.2.1"


def test_an_images_user_is_a_number_or_a_name() -> None:
    assert answers.image(cri.Image(id="i", uid=cri.Int64Value(value=0))).user == "0"
    assert answers.image(cri.Image(id="i", username="www")).user == "www"
    assert answers.image(cri.Image(id="i")).user == ""


def test_figures_of_a_container() -> None:
    stats = cri.ContainerStats(
        attributes=cri.ContainerAttributes(id="c"),
        cpu=cri.CpuUsage(timestamp=5 * 10**9, usage_core_nano_seconds=cri.UInt64Value(value=7)),
        memory=cri.MemoryUsage(working_set_bytes=cri.UInt64Value(value=8)),
        writable_layer=cri.FilesystemUsage(used_bytes=cri.UInt64Value(value=9), inodes_used=cri.UInt64Value(value=2)),
    )
    found = answers.stats(stats)
    assert (found.container_id, found.cpu_nanoseconds, found.memory_working_set_bytes) == ("c", 7, 8)
    assert (found.writable_bytes, found.writable_inodes, found.at) == (9, 2, 5.0)


# -- names of images, faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "busybox:1",
        "library/busybox:1.36-musl",
        "homeostat.local/app:v1",
        "localhost/app",
        "localhost:5000/team/app:v1",
        "[fd00::1]:5000/app",
        "registry.example.com/a_b/c__d/e--f.g",
        "Registry/app",
        "app@sha256:" + "0" * 64,
        "app:v1@sha256:" + "a" * 64,
        "sha256:" + "0" * 64,
    ],
)
def test_names_that_images_have(image: str) -> None:
    assert reference.wrong_with(image) == ""


@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        ("", "invalid reference format"),
        ("UPPER", r"invalid reference format: repository name \(library/UPPER\) must be lowercase"),
        ("a/B", r"invalid reference format: repository name \(a/B\) must be lowercase"),
        ("app:", "invalid reference format"),
        ("app: v1", "invalid reference format"),
        ("app:" + "x" * 129, "invalid reference format"),
        ("app@sha256:short", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-app", "invalid reference format"),
        ("host.name:port/app", "invalid reference format"),
        ("bad..domain/app", "invalid reference format"),
        ("0" * 64, "cannot specify 64-byte hexadecimal strings"),
        ("/".join(["x" * 50] * 6), "not be more than 255 characters"),
    ],
)
def test_names_that_no_image_has(image: str, wrong: str) -> None:
    assert re.search(wrong, reference.wrong_with(image))
    fault = fault_reasons.of_name(image)
    assert fault is not None
    assert fault.reason == "InvalidImageName"
    assert fault.message.startswith(f'Failed to apply default image tag "{image}": couldn\'t parse image name')


def test_a_fault_keeps_the_engines_words_and_an_absent_engine_its_reason() -> None:
    assert (
        fault_reasons.means("RunContainerError", RuntimeFault("Failed", "no such file")).reason == "RunContainerError"
    )
    assert fault_reasons.means("RunContainerError", RuntimeFault("Unavailable", "gone")).reason == "Unavailable"
    inspect = fault_reasons.of_image("app", RuntimeFault("Failed", "disk"))
    assert (inspect.reason, inspect.message) == ("ImageInspectError", 'Failed to inspect image "app": disk')
    assert fault_reasons.of_exec(RuntimeFault("Failed", "container is in CONTAINER_EXITED state")).reason == "NotFound"
    assert fault_reasons.of_exec(RuntimeFault("Failed", "executable file not found")).reason == "ExecError"


def test_whose_a_reserved_name_is() -> None:
    words = 'failed to reserve container name "main_web_0": name "main_web_0" is reserved for "abc123"'
    assert fault_reasons.taken_by(RuntimeFault("Failed", words)) == "abc123"
    assert fault_reasons.taken_by(RuntimeFault("Failed", "something else")) == ""


# -- containerd's configuration ----------------------------------------------------------------------------------------


def test_the_configuration_says_what_this_kind_of_machine_needs() -> None:
    wanted = EngineConfig("/data", "/run/c", "/run/c.sock", "homeostat.local/pause:1", registry_dir='/etc/"certs"')
    read = tomllib.loads(containerd_config(wanted))
    assert (read["version"], read["root"], read["state"]) == (2, "/data", "/run/c")
    assert read["grpc"]["address"] == "/run/c.sock"
    plugin = read["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugin["sandbox_image"] == "homeostat.local/pause:1"
    assert (plugin["restrict_oom_score_adj"], plugin["disable_cgroup"], plugin["disable_apparmor"]) == (
        True,
        False,
        False,
    )
    assert plugin["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/etc/cni/net.d"}
    assert plugin["containerd"]["snapshotter"] == "overlayfs"
    assert plugin["containerd"]["runtimes"]["runc"]["options"] == {"BinaryName": "runc", "SystemdCgroup": False}
    assert plugin["registry"]["config_path"] == '/etc/"certs"'


def test_the_reference_shows_the_configuration_as_it_is_written() -> None:
    wanted = EngineConfig(
        root="/var/lib/containerd",
        state="/run/containerd",
        socket="/run/containerd/containerd.sock",
        sandbox_image="homeostat.local/pause:1",
        registry_dir="/etc/containerd/certs.d",
    )
    page = Path(__file__).parents[2] / "docs" / "reference" / "container-engine.md"
    assert f"```toml\n{containerd_config(wanted)}```" in page.read_text()


def test_without_root_there_is_no_apparmor_and_without_delegation_no_limits() -> None:
    wanted = EngineConfig("/d", "/s", "/x", "pause", snapshotter="native", rootless=True, cgroups=False)
    plugin = tomllib.loads(containerd_config(wanted))["plugins"]["io.containerd.grpc.v1.cri"]
    assert (plugin["disable_cgroup"], plugin["disable_apparmor"]) == (True, True)
    assert plugin["containerd"]["snapshotter"] == "native"
    assert "registry" not in plugin
