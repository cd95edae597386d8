"""How a pod's facts are written on what runs: the kubelet's own labels and annotations, so that other tools for CRI
engines understand them, and one annotation with the rest of what was asked for, so that a new agent adopts it all.

The environment is not kept there: it may hold secrets. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import msgspec

from homeostat.runtime.spec import ContainerSpec, SandboxSpec

POD_UID, POD_NAME, POD_NAMESPACE = (f"io.kubernetes.pod.{part}" for part in ("uid", "name", "namespace"))
CONTAINER_NAME = "io.kubernetes.container.name"
HASH, RESTARTS = "io.kubernetes.container.hash", "io.kubernetes.container.restartCount"
SPEC = "cri.homeostat/spec"
_OWN = {POD_UID, POD_NAME, POD_NAMESPACE}

Spec = TypeVar("Spec", SandboxSpec, ContainerSpec)


def sandbox_labels(spec: SandboxSpec) -> dict[str, str]:
    """The pod's own labels and the kubelet's."""
    return {**spec.labels, POD_NAME: spec.name, POD_NAMESPACE: spec.namespace, POD_UID: spec.pod_uid}


def sandbox_annotations(spec: SandboxSpec) -> dict[str, str]:
    """The pod's own annotations and what was asked for."""
    return {**spec.annotations, SPEC: _written(replace(spec, annotations={}, labels={}))}


def container_labels(spec: ContainerSpec, sandbox: SandboxSpec) -> dict[str, str]:
    """The kubelet's labels of a container."""
    pod = {POD_NAME: sandbox.name, POD_NAMESPACE: sandbox.namespace, POD_UID: sandbox.pod_uid}
    return {CONTAINER_NAME: spec.name, **pod}


def container_annotations(spec: ContainerSpec) -> dict[str, str]:
    """The kubelet's annotations of a container, and what was asked for."""
    return {HASH: spec.spec_hash, RESTARTS: str(spec.attempt), SPEC: _written(replace(spec, env=()))}


def read_sandbox(labels: Mapping[str, str], annotations: Mapping[str, str]) -> SandboxSpec:
    """What was asked for, from what is written on a sandbox; another agent's sandbox has only the pod's names."""
    named = SandboxSpec(labels.get(POD_UID, ""), labels.get(POD_NAMESPACE, ""), labels.get(POD_NAME, ""))
    return replace(
        _read(annotations, named),
        labels={key: value for key, value in labels.items() if key not in _OWN},
        annotations={key: value for key, value in annotations.items() if key != SPEC},
    )


def read_container(labels: Mapping[str, str], annotations: Mapping[str, str], image: str) -> ContainerSpec:
    """What was asked for, from what is written on a container, without its environment."""
    restarts = annotations.get(RESTARTS, "0")
    named = ContainerSpec(
        name=labels.get(CONTAINER_NAME, ""),
        image=image,
        attempt=int(restarts) if restarts.isdigit() else 0,
        spec_hash=annotations.get(HASH, ""),
    )
    return _read(annotations, named)


def _written(spec: SandboxSpec | ContainerSpec) -> str:
    given: dict[str, Any] = {}
    for known in fields(spec):
        value = getattr(spec, known.name)
        if value != known.default and value != {}:
            given[known.name] = value
    return msgspec.json.encode(given).decode()


def _read(annotations: Mapping[str, str], named: Spec) -> Spec:
    text = annotations.get(SPEC)
    if text is None:
        return named
    try:
        return msgspec.json.decode(text, type=type(named))
    except msgspec.MsgspecError:
        return named  # a version's that wrote it otherwise
