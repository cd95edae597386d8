"""The control plane's static Pods: what a master's kubelet keeps running, and relaunches when it is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from homeostat.lab.state import replace_file
from homeostat.lab.topology import Node

IMAGE = "homeostat:builtin"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_PORTS = {"kube-apiserver": 6443}


def static_pod(state: Path, node: Node, component: str) -> dict[str, Any]:
    """The Pod of one control-plane component on one master. Its command runs in a fork of the warm parent; `state` is
    the cluster's state folder."""
    container: dict[str, Any] = {
        "name": component,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": [component, f"--state={state}", f"--node={node.name}"],
    }
    if component == "kube-apiserver":
        container["ports"] = [{"name": "https", "containerPort": _PORTS[component], "hostPort": _PORTS[component]}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": component,
            "namespace": "kube-system",
            "labels": {"component": component, "tier": "control-plane"},
        },
        "spec": {
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
            "terminationGracePeriodSeconds": 5,
            "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
            "containers": [container],
        },
    }


def write(state: Path, node: Node, folder: Path) -> None:
    """Write a master's manifests; the API server's first, since everything waits for it."""
    folder.mkdir(parents=True, exist_ok=True)
    for component in COMPONENTS:
        text = yaml.dump(static_pod(state, node, component), Dumper=yaml.CSafeDumper, sort_keys=False)
        replace_file(folder / f"{component}.yaml", text.encode(), durable=False)
