"""Every control of the Pod Security Standards: what it allows and forbids, at which level, since which version.

Cites kubernetes.io/docs/concepts/security/pod-security-standards (the name of each control) and, for the versions and
the words, k8s.io/pod-security-admission/policy of release 1.36 (the check's identifier).
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api.podsecurity.evaluate import CHECKS, details, evaluate, reasons
from homeostat.api.podsecurity.levels import LevelVersion

Obj = dict[str, Any]
BASELINE, RESTRICTED = "baseline", "restricted"
ALWAYS = 0
DEFAULTS = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)


def container(name: str = "app", **fields: Any) -> Obj:
    """A container that the restricted level allows."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {"name": name, "securityContext": context | fields.pop("security", {}), **fields}


def pod(*containers: Obj, security: Obj | None = None, annotations: Obj | None = None, **spec: Any) -> Obj:
    """A Pod that the restricted level allows, but for what is given."""
    context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} | (security or {})
    meta = {"name": "p", "annotations": annotations or {}}
    return {
        "metadata": meta,
        "spec": {"containers": list(containers) or [container()], "securityContext": context} | spec,
    }


def secured(**security: Any) -> Obj:
    return container(security=security)


# control, what is forbidden, at which level, since v1.N, until v1.N (None: still), reason, detail
FORBIDDEN = [
    # HostProcess (windowsHostProcess)
    (
        "windowsHostProcess",
        pod(secured(windowsOptions={"hostProcess": True})),
        *(BASELINE, ALWAYS, None, "hostProcess"),
        'container "app" must not set securityContext.windowsOptions.hostProcess=true',
    ),
    (
        "windowsHostProcess",
        pod(secured(windowsOptions={"hostProcess": True}), security={"windowsOptions": {"hostProcess": True}}),
        *(BASELINE, ALWAYS, None, "hostProcess"),
        'pod and container "app" must not set securityContext.windowsOptions.hostProcess=true',
    ),
    # Host Namespaces (hostNamespaces)
    *(
        ("hostNamespaces", pod(**{field: True}), BASELINE, ALWAYS, None, "host namespaces", f"{field}=true")
        for field in ("hostNetwork", "hostPID", "hostIPC")
    ),
    (
        "hostNamespaces",
        pod(hostIPC=True, hostPID=True, hostNetwork=True),
        *(BASELINE, ALWAYS, None, "host namespaces", "hostNetwork=true, hostPID=true, hostIPC=true"),
    ),
    # Privileged Containers (privileged): of every sort of container
    (
        "privileged",
        pod(
            container("a", security={"privileged": True}),
            initContainers=[container("i", security={"privileged": True})],
            ephemeralContainers=[container("e", security={"privileged": True})],
        ),
        *(BASELINE, ALWAYS, None, "privileged"),
        'containers "i", "a", "e" must not set securityContext.privileged=true',
    ),
    # Capabilities (capabilities_baseline): at level restricted replaced since 1.22
    (
        "capabilities_baseline",
        pod(secured(capabilities={"add": ["NET_RAW", "SYS_ADMIN", "CHOWN"]})),
        *(BASELINE, ALWAYS, None, "non-default capabilities"),
        'container "app" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add',
    ),
    (
        "capabilities_baseline",
        pod(secured(capabilities={"add": ["CAP_CHOWN"]})),
        *(BASELINE, ALWAYS, None, "non-default capabilities"),
        'container "app" must not include "CAP_CHOWN" in securityContext.capabilities.add',
    ),
    # HostPath Volumes (hostPathVolumes): at level restricted replaced by restrictedVolumes
    (
        "hostPathVolumes",
        pod(volumes=[{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "hostPath": {"path": "/etc"}}]),
        *(BASELINE, ALWAYS, None, "hostPath volumes", 'volumes "a", "b"'),
    ),
    # Host Ports (hostPorts)
    (
        "hostPorts",
        pod(container(ports=[{"containerPort": 80}, {"containerPort": 81, "hostPort": 8081}])),
        *(BASELINE, ALWAYS, None, "hostPort", 'container "app" uses hostPort 8081'),
    ),
    (
        "hostPorts",
        pod(container("a", ports=[{"hostPort": 9}]), container("b", ports=[{"hostPort": 10}, {"hostPort": 9}])),
        *(BASELINE, ALWAYS, None, "hostPort", 'containers "a", "b" use hostPorts 10, 9'),
    ),
    # Host Probes / Lifecycle Hooks (hostProbesAndHostLifecycle), since 1.34
    *(
        (
            "hostProbesAndHostLifecycle",
            pod(container(**{probe: {action: {"host": "10.0.0.1", "port": 80}}})),
            *(BASELINE, 34, None, "probe or lifecycle host"),
            'container "app" uses probe or lifecycle host "10.0.0.1"',
        )
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for action in ("httpGet", "tcpSocket")
    ),
    (
        "hostProbesAndHostLifecycle",
        pod(
            container("b", lifecycle={"postStart": {"httpGet": {"host": "::1"}}}),
            container("a", lifecycle={"preStop": {"tcpSocket": {"host": "127.0.0.1"}}}),
        ),
        *(BASELINE, 34, None, "probe or lifecycle host"),
        'containers "a", "b" use probe or lifecycle hosts "127.0.0.1", "::1"',
    ),
    # AppArmor (appArmorProfile)
    (
        "appArmorProfile",
        pod(secured(appArmorProfile={"type": "Unconfined"}), security={"appArmorProfile": {"type": "Unconfined"}}),
        *(BASELINE, ALWAYS, None, "forbidden AppArmor profile"),
        'pod and container "app" must not set AppArmor profile type to "Unconfined"',
    ),
    (
        "appArmorProfile",
        pod(annotations={"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}),
        *(BASELINE, ALWAYS, None, "forbidden AppArmor profile"),
        "annotation must not set AppArmor profile type to "
        '"container.apparmor.security.beta.kubernetes.io/app="unconfined""',
    ),
    # SELinux (seLinuxOptions); container_engine_t since 1.31
    (
        "seLinuxOptions",
        pod(secured(seLinuxOptions={"type": "spc_t", "user": "u", "role": "r"})),
        *(BASELINE, ALWAYS, None, "seLinuxOptions"),
        'container "app" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; '
        "role may not be set",
    ),
    (
        "seLinuxOptions",
        pod(security={"seLinuxOptions": {"user": "sysadm_u"}}),
        *(BASELINE, ALWAYS, None, "seLinuxOptions"),
        "pod set forbidden securityContext.seLinuxOptions: user may not be set",
    ),
    (
        "seLinuxOptions",
        pod(secured(seLinuxOptions={"type": "container_engine_t"})),
        *(BASELINE, ALWAYS, 30, "seLinuxOptions"),
        'container "app" set forbidden securityContext.seLinuxOptions: type "container_engine_t"',
    ),
    # /proc Mount Type (procMount, procMount_restricted); user namespaces relax the baseline since 1.35
    (
        "procMount",
        pod(secured(procMount="Unmasked")),
        *(BASELINE, ALWAYS, None, "procMount"),
        'container "app" must not set securityContext.procMount to "Unmasked"',
    ),
    (
        "procMount",
        pod(secured(procMount="Unmasked"), hostUsers=True),
        *(BASELINE, ALWAYS, None, "procMount"),
        'container "app" must not set securityContext.procMount to "Unmasked"',
    ),
    (
        "procMount",
        pod(secured(procMount="Unmasked"), hostUsers=False),
        *(BASELINE, ALWAYS, 34, "procMount"),
        'container "app" must not set securityContext.procMount to "Unmasked"',
    ),
    (
        "procMount_restricted",
        pod(secured(procMount="Unmasked"), hostUsers=False),
        *(RESTRICTED, ALWAYS, None, "procMount"),
        'container "app" must not set securityContext.procMount to "Unmasked"',
    ),
    # Seccomp (seccompProfile_baseline): annotations up to 1.18, fields since
    (
        "seccompProfile_baseline",
        pod(
            annotations={
                "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
                "container.seccomp.security.alpha.kubernetes.io/app": "unconfined",
                "container.seccomp.security.alpha.kubernetes.io/another": "unconfined",
            }
        ),
        *(BASELINE, ALWAYS, 18, "seccompProfile"),
        'forbidden annotations container.seccomp.security.alpha.kubernetes.io/app="unconfined", '
        'seccomp.security.alpha.kubernetes.io/pod="unconfined"',
    ),
    (
        "seccompProfile_baseline",
        pod(secured(seccompProfile={"type": "Unconfined"}), security={"seccompProfile": {"type": "Unconfined"}}),
        *(BASELINE, 19, None, "seccompProfile"),
        'pod and container "app" must not set securityContext.seccompProfile.type to "Unconfined"',
    ),
    # Seccomp (seccompProfile_restricted): must be set since 1.19
    (
        "seccompProfile_restricted",
        pod(
            container("a"),
            container("b"),
            container("c", security={"seccompProfile": {"type": "Localhost"}}),
            security={"seccompProfile": None},
        ),
        *(RESTRICTED, 19, None, "seccompProfile"),
        'pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    ),
    (
        "seccompProfile_restricted",
        pod(security={"seccompProfile": None}, os={"name": "windows"}),
        *(RESTRICTED, 19, 24, "seccompProfile"),
        'pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    ),
    # Sysctls (sysctls): more are safe with each version
    (
        "sysctls",
        pod(security={"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.core.somaxconn"}]}),
        *(BASELINE, ALWAYS, None, "forbidden sysctls", "kernel.msgmax, net.core.somaxconn"),
    ),
    *(
        ("sysctls", pod(security={"sysctls": [{"name": name}]}), BASELINE, ALWAYS, until, "forbidden sysctls", name)
        for until, names in (
            (26, ["net.ipv4.ip_local_reserved_ports"]),
            (28, ["net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout"]),
            (28, ["net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"]),
            (31, ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]),
            (None, ["net.ipv4.tcp_slow_start_after_idle"]),
        )
        for name in names
    ),
    # Volume Types (restrictedVolumes)
    *(
        (
            "restrictedVolumes",
            pod(volumes=[{"name": "v", source: {}}]),
            *(RESTRICTED, ALWAYS, None, "restricted volume types"),
            f'volume "v" uses restricted volume type "{source}"',
        )
        for source in (
            *("hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd"),
            *("flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk"),
            *("photonPersistentDisk", "portworxVolume", "scaleIO", "storageos"),
        )
    ),
    (
        "restrictedVolumes",
        pod(
            volumes=[{"name": "a", "nfs": {}}, {"name": "b", "hostPath": {"path": "/"}}, {"name": "c", "emptyDir": {}}]
        ),
        *(RESTRICTED, ALWAYS, None, "restricted volume types"),
        'volumes "a", "b" use restricted volume types "hostPath", "nfs"',
    ),
    (
        "restrictedVolumes",
        pod(volumes=[{"name": "v", "newSource": {}}]),
        *(RESTRICTED, ALWAYS, None, "restricted volume types", 'volume "v" uses restricted volume type "unknown"'),
    ),
    # Privilege Escalation (allowPrivilegeEscalation), since 1.8; Windows is exempt since 1.25
    (
        "allowPrivilegeEscalation",
        pod(container("a", security={"allowPrivilegeEscalation": None}), secured(allowPrivilegeEscalation=True)),
        *(RESTRICTED, 8, None, "allowPrivilegeEscalation != false"),
        'containers "a", "app" must set securityContext.allowPrivilegeEscalation=false',
    ),
    (
        "allowPrivilegeEscalation",
        pod({"name": "bare", "securityContext": {"capabilities": {"drop": ["ALL"]}}}, os={"name": "windows"}),
        *(RESTRICTED, 8, 24, "allowPrivilegeEscalation != false"),
        'container "bare" must set securityContext.allowPrivilegeEscalation=false',
    ),
    # Running as Non-root (runAsNonRoot); user namespaces relax it since 1.35
    (
        "runAsNonRoot",
        pod(security={"runAsNonRoot": None}),
        *(RESTRICTED, ALWAYS, None, "runAsNonRoot != true"),
        'pod or container "app" must set securityContext.runAsNonRoot=true',
    ),
    (
        "runAsNonRoot",
        pod(container("a", security={"runAsNonRoot": False}), container("b"), security={"runAsNonRoot": False}),
        *(RESTRICTED, ALWAYS, None, "runAsNonRoot != true"),
        'pod and container "a" must not set securityContext.runAsNonRoot=false',
    ),
    (
        "runAsNonRoot",
        pod(security={"runAsNonRoot": None}, hostUsers=False),
        *(RESTRICTED, ALWAYS, 34, "runAsNonRoot != true"),
        'pod or container "app" must set securityContext.runAsNonRoot=true',
    ),
    # Running as Non-root user (runAsUser), since 1.23; user namespaces relax it since 1.35
    (
        "runAsUser",
        pod(secured(runAsUser=0), security={"runAsUser": 0}),
        *(RESTRICTED, 23, None, "runAsUser=0", 'pod and container "app" must not set runAsUser=0'),
    ),
    (
        "runAsUser",
        pod(secured(runAsUser=0), hostUsers=False),
        *(RESTRICTED, 23, 34, "runAsUser=0", 'container "app" must not set runAsUser=0'),
    ),
    # Capabilities (capabilities_restricted), since 1.22; Windows is exempt since 1.25
    (
        "capabilities_restricted",
        pod(secured(capabilities={"drop": ["NET_RAW"], "add": ["CHOWN", "NET_BIND_SERVICE"]})),
        *(RESTRICTED, 22, None, "unrestricted capabilities"),
        'container "app" must set securityContext.capabilities.drop=["ALL"]; '
        'container "app" must not include "CHOWN" in securityContext.capabilities.add',
    ),
    (
        "capabilities_restricted",
        pod({"name": "app", "securityContext": {"allowPrivilegeEscalation": False}}, os={"name": "windows"}),
        *(RESTRICTED, 22, 24, "unrestricted capabilities"),
        'container "app" must set securityContext.capabilities.drop=["ALL"]',
    ),
]

# What baseline and restricted allow at every version, though it comes near what they forbid.
ALLOWED = [
    ("HostProcess", RESTRICTED, pod(secured(windowsOptions={"hostProcess": False}))),
    ("Host Namespaces", RESTRICTED, pod(hostNetwork=False, hostPID=False, hostIPC=False)),
    ("Privileged Containers", RESTRICTED, pod(secured(privileged=False))),
    (
        "Capabilities",
        BASELINE,
        pod(
            secured(
                capabilities={
                    "add": [
                        "AUDIT_WRITE",
                        "CHOWN",
                        "DAC_OVERRIDE",
                        "FOWNER",
                        "FSETID",
                        "KILL",
                        "MKNOD",
                        "NET_BIND_SERVICE",
                        "SETFCAP",
                        "SETGID",
                        "SETPCAP",
                        "SETUID",
                        "SYS_CHROOT",
                    ]
                }
            )
        ),
    ),
    ("Capabilities", RESTRICTED, pod(secured(capabilities={"drop": ["X", "ALL"], "add": ["NET_BIND_SERVICE"]}))),
    ("Host Ports", RESTRICTED, pod(container(ports=[{"containerPort": 80, "hostPort": 0}]))),
    ("Host Probes", RESTRICTED, pod(container(livenessProbe={"httpGet": {"port": 80, "host": ""}}))),
    ("AppArmor", RESTRICTED, pod(secured(appArmorProfile={"type": "Localhost"}))),
    *(
        ("AppArmor", RESTRICTED, pod(annotations={"container.apparmor.security.beta.kubernetes.io/app": value}))
        for value in ("", "runtime/default", "localhost/mine")
    ),
    *(
        ("SELinux", RESTRICTED, pod(secured(seLinuxOptions={"type": value, "level": "s0"})))
        for value in ("", "container_t", "container_init_t", "container_kvm_t")
    ),
    ("/proc Mount Type", RESTRICTED, pod(secured(procMount="Default"))),
    ("Seccomp", RESTRICTED, pod(secured(seccompProfile={"type": "Localhost"}))),
    ("Seccomp", BASELINE, pod(security={"seccompProfile": None})),
    (
        "Seccomp",
        BASELINE,
        pod(annotations={"seccomp.security.alpha.kubernetes.io/pod": "docker/default"}),
    ),
    (
        "Sysctls",
        RESTRICTED,
        pod(
            security={
                "sysctls": [
                    {"name": "kernel.shm_rmid_forced"},
                    {"name": "net.ipv4.ip_local_port_range"},
                    {"name": "net.ipv4.tcp_syncookies"},
                    {"name": "net.ipv4.ping_group_range"},
                    {"name": "net.ipv4.ip_unprivileged_port_start"},
                ]
            }
        ),
    ),
    *(
        ("Volume Types", RESTRICTED, pod(volumes=[{"name": "v", source: {}}]))
        for source in (
            *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"),
            *("projected", "secret"),
        )
    ),
    ("Volume Types", BASELINE, pod(volumes=[{"name": "v", "nfs": {}}])),
    ("Privilege Escalation", BASELINE, pod(secured(allowPrivilegeEscalation=True))),
    (
        "Running as Non-root",
        RESTRICTED,
        pod(container("a", security={"runAsNonRoot": True}), security={"runAsNonRoot": None}),
    ),
    ("Running as Non-root", BASELINE, pod(secured(runAsUser=0), security={"runAsNonRoot": False})),
    ("Running as Non-root user", RESTRICTED, pod(secured(runAsUser=1000))),
]

NEWEST = 36


def named(rows: list[Any]) -> list[str]:
    return [f"{row[0]}-{number}" for number, row in enumerate(rows)]


def reported(level: str, minor: int | None, of: Obj) -> dict[str, str]:
    """The details of what is found, by reason."""
    version = "latest" if minor is None else f"v1.{minor}"
    return {found.reason: found.detail for found in evaluate(LevelVersion(level, version), of)}


@pytest.mark.parametrize(
    ("control", "bad", "level", "since", "until", "reason", "detail"), FORBIDDEN, ids=named(FORBIDDEN)
)
def test_a_control_forbids_from_its_version_on(control, bad, level, since, until, reason, detail):
    for minor in (*range(NEWEST + 1), None):
        counts = (minor is None or minor >= since) and (until is None or (minor is not None and minor <= until))
        found = reported(level, minor, bad)
        assert (found.get(reason) == detail) == counts, (minor, found)
        if counts:
            assert list(found) == [reason], "and nothing else is wrong with it"
    assert not evaluate(LevelVersion("privileged"), bad)


@pytest.mark.parametrize(("control", "level", "good"), ALLOWED, ids=named(ALLOWED))
def test_a_control_allows_what_is_near_it(control, level, good):
    for minor in (*range(NEWEST + 1), None):
        assert reported(level, minor, good) == {}, minor


@pytest.mark.parametrize(("control", "bad", "level", "since", "until", "reason", "detail"), FORBIDDEN)
def test_restricted_forbids_all_that_baseline_forbids(control, bad, level, since, until, reason, detail):
    for minor in (*range(NEWEST + 1), None):
        if reported(BASELINE, minor, bad):
            assert reported(RESTRICTED, minor, bad), minor


def test_every_control_has_a_row():
    assert {check.id for check in CHECKS} == {row[0] for row in FORBIDDEN}


def test_what_replaces_a_baseline_control_is_said_once():
    """`OverrideCheckIDs`: one sentence for one volume."""
    bad = pod(
        secured(capabilities={"add": ["SYS_ADMIN"]}, seccompProfile={"type": "Unconfined"}, procMount="Unmasked"),
        volumes=[{"name": "v", "hostPath": {"path": "/"}}],
    )
    found = evaluate(LevelVersion(RESTRICTED), bad)
    said = {"unrestricted capabilities", "procMount", "restricted volume types", "seccompProfile"}
    assert {each.reason for each in found} == said and len(found) == len(said)


def test_violations_are_listed_in_kubernetes_order():
    """Baseline first, then restricted, each by the identifiers of the checks (policy/registry.go)."""
    bare = {"metadata": {"name": "x"}, "spec": {"hostPID": True, "containers": [{"name": "c"}]}}
    found = evaluate(LevelVersion(RESTRICTED), bare)
    assert details(found) == (
        "host namespaces (hostPID=true), "
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")'
    )
    assert reasons(found) == (
        "host namespaces, allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, "
        "seccompProfile"
    )


def test_a_version_newer_than_the_rules_has_the_newest():
    bad = pod(container(livenessProbe={"httpGet": {"host": "h"}}))
    assert reported(BASELINE, 999, bad) == reported(BASELINE, None, bad) != {}
