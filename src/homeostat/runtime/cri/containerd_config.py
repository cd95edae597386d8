"""The configuration with which containerd 1.6 and later runs pods here.

What is not the default, and why:

- Only the plugins of pods are there: no second image service, no snapshotters for file systems that are not used.
- `restrict_oom_score_adj`: without CAP_SYS_RESOURCE (in many containers, and in every user namespace) runc may not make
  a process less likely to be killed than its parent, and dies with "can't get final child's PID from pipe".
- `tolerate_missing_hugetlb_controller`: a kernel without that controller is fine.
- `runtime` is `runc`, with cgroups made by itself (`SystemdCgroup = false`): there need be no systemd.
- `rootless` (inside an unprivileged user namespace): no AppArmor, and no limits (`disable_cgroup`) unless cgroups were
  delegated. What containers use cannot be measured then: containerd reports the figures of its own cgroup.
- In a namespace that maps one ID alone (without `newuidmap`), every container is root or fails with "unable to setup
  user", and terminals cannot belong to group 5 as containerd wants it: `ONE_ID_RUNC`, written to a file that `runc`
  names, removes that setting before runc sees it.
- The streaming server listens on loopback at any port: exec, attach and port-forward come from the node itself.
- `root` must not lie on an overlay for the `overlayfs` snapshotter; `native` copies, and works everywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

ONE_ID_RUNC = """#!/bin/sh
# runc in a user namespace of one ID: no group for terminals.
last=
for word in "$@"; do
    [ "$last" = --bundle ] && sed -i 's/,"gid=5"//' "$word/config.json"
    last=$word
done
exec runc "$@"
"""
CNI_BIN_DIR, CNI_CONF_DIR = "/usr/lib/cni", "/etc/cni/net.d"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What differs between engines. Paths; `registry_dir` holds a folder with a hosts.toml for each registry, empty:
    registries are asked directly. `cgroups` is False where they were not delegated; `runc` the OCI runtime."""

    root: str
    state: str
    socket: str
    sandbox_image: str
    snapshotter: str = "overlayfs"
    rootless: bool = False
    cgroups: bool = True
    registry_dir: str = ""
    cni_bin_dir: str = CNI_BIN_DIR
    cni_conf_dir: str = CNI_CONF_DIR
    runc: str = "runc"
    log_level: str = "warn"


_UNUSED = (
    *(f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs")),
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
)


def containerd_config(wanted: EngineConfig) -> str:
    """The text of a config.toml (version 2). See the module for the choices."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    runc = f"{cri}.containerd.runtimes.runc"
    tables: dict[str, dict[str, object]] = {
        "": {"version": 2, "root": wanted.root, "state": wanted.state, "disabled_plugins": list(_UNUSED)},
        "grpc": {"address": wanted.socket},
        "debug": {"level": wanted.log_level},
        cri: {
            "sandbox_image": wanted.sandbox_image,
            "restrict_oom_score_adj": True,
            "tolerate_missing_hugetlb_controller": True,
            "disable_hugetlb_controller": True,
            "disable_apparmor": wanted.rootless,
            "disable_cgroup": not wanted.cgroups,
            "stream_server_address": "127.0.0.1",
            "stream_server_port": "0",
        },
        f"{cri}.cni": {"bin_dir": wanted.cni_bin_dir, "conf_dir": wanted.cni_conf_dir},
        f"{cri}.containerd": {"snapshotter": wanted.snapshotter, "default_runtime_name": "runc"},
        runc: {"runtime_type": "io.containerd.runc.v2"},
        f"{runc}.options": {"BinaryName": wanted.runc, "SystemdCgroup": False},
    }
    if wanted.registry_dir:
        tables[f"{cri}.registry"] = {"config_path": wanted.registry_dir}
    return "\n".join(_table(name, values) for name, values in tables.items())


def _table(name: str, values: dict[str, object]) -> str:
    # A JSON string, number, truth value or list of strings reads the same in TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines] if name else lines) + "\n"
