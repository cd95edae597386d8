"""What is asked of a CRI engine, from the runtime's data: pure. The kubelet's rules are those of its
`kuberuntime_sandbox.go`, `kuberuntime_container.go` and `securitycontext` package, in Kubernetes v1.36."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri import labels
from homeostat.runtime.spec import ContainerSpec, ImageAuth, Mount, PortMapping, Resources, SandboxSpec, Security

_PROTOCOLS = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}
_PROPAGATIONS = {
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
DEFAULT_SIGNAL = "SIGTERM"
_SIGNALS = frozenset(cri.Signal.keys())
# What a container must not see or change of the kernel, unless procMount is Unmasked or it is privileged.
MASKED_PATHS = (
    *(f"/proc/{name}" for name in ("asound", "acpi", "interrupts", "kcore", "keys", "latency_stats", "timer_list")),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"),
)
READONLY_PATHS = tuple(f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"))


def sandbox(spec: SandboxSpec) -> cri.PodSandboxConfig:
    """A pod's place. Its own container (pause) has the engine's default seccomp profile, as the kubelet's has."""
    security = spec.security
    context = cri.LinuxSandboxSecurityContext(
        namespace_options=_namespaces(spec),
        supplemental_groups=security.supplemental_groups,
        privileged=security.privileged,
        readonly_rootfs=security.read_only_root,
        run_as_user=_number(security.user),
        # The engine refuses a group without a user.
        run_as_group=_number(security.group if security.user is not None else None),
        seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
    )
    dns = spec.dns
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=spec.name, uid=spec.pod_uid, namespace=spec.namespace, attempt=spec.attempt
        ),
        # A pod of the host's network has the host's name; the engine knows it.
        hostname="" if spec.host_network else (spec.hostname or spec.name),
        log_directory=spec.log_directory,
        dns_config=None
        if dns is None
        else cri.DNSConfig(servers=dns.servers, searches=dns.searches, options=dns.options),
        port_mappings=() if spec.host_network else [_port(port) for port in spec.ports],
        labels=labels.sandbox_labels(spec),
        annotations=labels.sandbox_annotations(spec),
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=spec.cgroup_parent, security_context=context, sysctls=dict(spec.sysctls)
        ),
    )


def _namespaces(spec: SandboxSpec, target_id: str = "") -> cri.NamespaceOption:
    pid = cri.CONTAINER
    if target_id:
        pid = cri.TARGET
    elif spec.host_pid:
        pid = cri.NODE
    elif spec.share_processes:
        pid = cri.POD
    return cri.NamespaceOption(
        network=cri.NODE if spec.host_network else cri.POD,
        ipc=cri.NODE if spec.host_ipc else cri.POD,
        pid=pid,
        target_id=target_id,
    )


def _port(port: PortMapping) -> cri.PortMapping:
    return cri.PortMapping(
        protocol=_PROTOCOLS.get(port.protocol, cri.TCP),
        container_port=port.container_port,
        host_port=port.host_port,
        host_ip=port.host_ip,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container is created: its sandbox's spec; `image_user` is what its image says when only a group is given;
    `seccomp_root` the folder of Localhost profiles."""

    sandbox: SandboxSpec
    image_user: str = ""
    seccomp_root: str = "/var/lib/kubelet/seccomp"


def container(spec: ContainerSpec, place: Place) -> tuple[cri.ContainerConfig, cri.PodSandboxConfig]:
    """A container, and its sandbox's configuration as the engine wants it once more."""
    pod = sandbox(place.sandbox)
    log_path = spec.log_path
    if log_path:
        # The interface knows a log only below the sandbox's folder.
        if not place.sandbox.log_directory or posixpath.relpath(log_path, pod.log_directory).startswith(".."):
            pod.log_directory = posixpath.dirname(log_path)
        log_path = posixpath.relpath(log_path, pod.log_directory)
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=cri.ImageSpec(image=spec.image),
        command=spec.command,
        args=spec.args,
        working_dir=spec.working_dir,
        envs=[cri.KeyValue(key=key, value=value.encode()) for key, value in spec.env],
        mounts=[_mount(mount) for mount in spec.mounts],
        labels=labels.container_labels(spec, place.sandbox),
        annotations=labels.container_annotations(spec),
        log_path=log_path,
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        tty=spec.tty,
        linux=cri.LinuxContainerConfig(resources=resources(spec.resources), security_context=_security(spec, place)),
        stop_signal=signal(spec.stop_signal),
    )
    return config, pod


def _security(spec: ContainerSpec, place: Place) -> cri.LinuxContainerSecurityContext:
    security = spec.security
    context = cri.LinuxContainerSecurityContext(
        capabilities=cri.Capability(
            add_capabilities=security.capabilities_add, drop_capabilities=security.capabilities_drop
        ),
        privileged=security.privileged,
        namespace_options=_namespaces(place.sandbox, spec.target_id),
        run_as_user=_number(security.user),
        run_as_group=_number(security.group),
        readonly_rootfs=security.read_only_root,
        supplemental_groups=security.supplemental_groups,
        no_new_privs=security.no_new_privileges,
        masked_paths=() if security.proc_unmasked else MASKED_PATHS,
        readonly_paths=() if security.proc_unmasked else READONLY_PATHS,
        seccomp=_profile(security.seccomp, place.seccomp_root),
        apparmor=_profile(security.apparmor, "") if security.apparmor else None,
    )
    if needs_image_user(security):
        _take_image_user(context, place.image_user)
    return context


def needs_image_user(security: Security) -> bool:
    """Whether the image's user must be known: the interface has no group without a user."""
    return security.group is not None and security.user is None


def _take_image_user(context: cri.LinuxContainerSecurityContext, image_user: str) -> None:
    user = image_user.partition(":")[0] or "0"
    if user.isdigit():
        context.run_as_user.value = int(user)
    else:
        context.run_as_username = user


def _number(value: int | None) -> cri.Int64Value | None:
    return None if value is None else cri.Int64Value(value=value)


def _profile(text: str, root: str) -> cri.SecurityProfile:
    """RuntimeDefault, Unconfined or Localhost/NAME: a name of AppArmor's, or a file below `root`."""
    kind, _, name = text.partition("/")
    if kind == "Localhost":
        return cri.SecurityProfile(
            profile_type=cri.SecurityProfile.Localhost, localhost_ref=posixpath.join(root, name) if root else name
        )
    known = cri.SecurityProfile.RuntimeDefault if kind == "RuntimeDefault" else cri.SecurityProfile.Unconfined
    return cri.SecurityProfile(profile_type=known)


def _mount(mount: Mount) -> cri.Mount:
    return cri.Mount(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.read_only,
        propagation=_PROPAGATIONS.get(mount.propagation, cri.PROPAGATION_PRIVATE),
    )


def resources(wanted: Resources) -> cri.LinuxContainerResources:
    """Limits in the interface's words, which are the kernel's."""
    return cri.LinuxContainerResources(
        cpu_period=wanted.cpu_period,
        cpu_quota=wanted.cpu_quota,
        cpu_shares=wanted.cpu_shares,
        memory_limit_in_bytes=wanted.memory_limit_bytes,
        oom_score_adj=wanted.oom_score_adj,
        cpuset_cpus=wanted.cpuset_cpus,
    )


def signal(name: str) -> str:
    """A stop signal that is not the usual one, else the engine's own choice (the image's)."""
    known = f"SIGNAL_{name}"
    return known if name != DEFAULT_SIGNAL and known in _SIGNALS else "SIGNAL_RUNTIME_DEFAULT"


def credentials(auth: ImageAuth | None) -> cri.AuthConfig | None:
    """A registry's credentials."""
    if auth is None:
        return None
    return cri.AuthConfig(
        username=auth.username,
        password=auth.password,
        server_address=auth.server,
        identity_token=auth.identity_token,
        registry_token=auth.registry_token,
    )
