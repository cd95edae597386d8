"""Containers of a Pod: names, images, ports, environment, mounts, and what init containers may not have."""

from __future__ import annotations

import re
from collections.abc import Collection

from homeostat.api import names
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, not_found, not_supported, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum, check_name, check_optional_name, check_port, present
from homeostat.api.validation.podspec.handlers import check_lifecycle, check_probes
from homeostat.api.validation.podspec.paths import check_relative
from homeostat.api.validation.podspec.resources import check_resources
from homeostat.api.validation.podspec.security import check_container_security

_ENUMS = (
    ("imagePullPolicy", ("Always", "IfNotPresent", "Never")),
    ("terminationMessagePolicy", ("File", "FallbackToLogsOnError")),
    ("restartPolicy", ("Always", "OnFailure", "Never")),
)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FIELDS = frozenset(f"metadata.{field}" for field in ("name", "namespace", "uid")) | frozenset(
    ("spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")
)
_ENV_RESOURCES = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)").fullmatch
_subscripted = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]").fullmatch
_INIT_PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
_NO_RESTART = "may not be set for init containers without restartPolicy=Always"


def check_containers(spec: Obj, path: str, out: Causes) -> None:
    """All containers and init containers of a Pod's spec."""
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    host_network = bool(spec.get("hostNetwork"))
    seen: set[str] = set()
    if not spec.get("containers"):
        out.append(required(f"{path}.containers"))
    for group in ("containers", "initContainers"):
        host_ports: set[str] = set()
        for position, container in enumerate(spec.get(group) or ()):
            if group == "initContainers":
                host_ports = set()  # they run one after the other
            where = f"{path}.{group}[{position}]"
            name = container.get("name")
            check_name(name, f"{where}.name", names.dns1123_label, out)
            if name and name in seen:
                out.append(duplicate(f"{where}.name", name))
            seen.add(name or "")
            check_container(container, where, volumes, out)
            if ports := container.get("ports"):
                _check_ports(ports, f"{where}.ports", host_ports, out)
                if host_network:
                    _check_host_network(ports, f"{where}.ports", out)
            _check_hooks(container, where, out, init=group == "initContainers")


def check_container(container: Obj, path: str, volumes: Collection[str | None], out: Causes) -> None:
    """What holds for a container of any sort; its name is judged with those of the others."""
    image = container.get("image")
    if not image:
        out.append(required(f"{path}.image"))
    elif image != image.strip():
        out.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    for field, supported in _ENUMS:
        value = container.get(field)
        if value and value not in supported:
            out.append(not_supported(f"{path}.{field}", value, supported))
    if env := container.get("env"):
        check_env(env, f"{path}.env", out)
    if env_from := container.get("envFrom"):
        _check_env_from(env_from, f"{path}.envFrom", out)
    if mounts := container.get("volumeMounts"):
        _check_mounts(mounts, f"{path}.volumeMounts", volumes, out)
        _check_propagation(container, mounts, f"{path}.volumeMounts", out)
    if resources := container.get("resources"):
        check_resources(resources, f"{path}.resources", out)
    if context := container.get("securityContext"):
        check_container_security(context, f"{path}.securityContext", out)


def _check_hooks(container: Obj, path: str, out: Causes, *, init: bool) -> None:
    if init and container.get("restartPolicy") != "Always":
        for field in _INIT_PROBES:
            if container.get(field) is not None:
                out.append(forbidden(f"{path}.{field}", _NO_RESTART))
        check_lifecycle(container.get("lifecycle"), f"{path}.lifecycle", out)
    else:
        check_probes(container, path, out)


def _check_ports(ports: list[Obj], path: str, host_ports: set[str], out: Causes) -> None:
    seen: set[str] = set()
    for position, port in enumerate(ports):
        where = f"{path}[{position}]"
        if name := port.get("name"):
            problems = names.port_name(name)
            out += [invalid(f"{where}.name", name, why) for why in problems]
            if not problems and name in seen:
                out.append(duplicate(f"{where}.name", name))
            seen.add(name)
        check_port(port.get("containerPort"), f"{where}.containerPort", out)
        check_enum(port.get("protocol"), f"{where}.protocol", _PROTOCOLS, out)
        if host_port := port.get("hostPort"):
            out += [invalid(f"{where}.hostPort", host_port, why) for why in names.port_number(host_port)]
            taken = f"{port.get('protocol') or 'TCP'}/{port.get('hostIP') or ''}/{host_port}"
            if taken in host_ports:
                out.append(duplicate(f"{where}.hostPort", taken))
            host_ports.add(taken)


def _check_host_network(ports: list[Obj], path: str, out: Causes) -> None:
    for position, port in enumerate(ports):
        if port.get("hostPort") and port["hostPort"] != port.get("containerPort"):
            why = "must match `hostPort` when `hostNetwork` is true"
            out.append(invalid(f"{path}[{position}].containerPort", port.get("containerPort"), why))


def check_env(env: list[Obj], path: str, out: Causes) -> None:
    """Environment variables: their names, and where their values come from."""
    for position, variable in enumerate(env):
        name = variable.get("name")
        if not name:
            out.append(required(f"{path}[{position}].name"))
        elif problems := names.env_name(name):
            out += [invalid(f"{path}[{position}].name", name, why) for why in problems]
        if variable.get("valueFrom") is not None:
            _check_source(variable, f"{path}[{position}].valueFrom", out)


def _check_source(variable: Obj, path: str, out: Causes) -> None:
    source = variable["valueFrom"]
    given = present(source, _SOURCES)
    if not given:
        listed = ", ".join(f"`{name}`" for name in _SOURCES[:-1])
        out.append(invalid(path, "", f"must specify one of: {listed} or `{_SOURCES[-1]}`"))
    elif variable.get("value"):
        out.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        out.append(invalid(path, "", "may not have more than one field specified at a time"))
    for name in given:
        where = f"{path}.{name}"
        if name == "fieldRef":
            check_field_path(source[name].get("fieldPath"), f"{where}.fieldPath", _ENV_FIELDS, out)
        elif name == "resourceFieldRef":
            check_resource_field(source[name].get("resource"), f"{where}.resource", out)
        elif name != "fileKeyRef":
            if not source[name].get("name"):
                out.append(required(f"{where}.name"))
            check_name(source[name].get("key"), f"{where}.key", names.config_key, out)


def check_field_path(text: str | None, path: str, supported: Collection[str], out: Causes) -> None:
    """A field of the downward API: one of `supported`, or one label or annotation."""
    if not text:
        out.append(required(path))
        return
    if subscript := _subscripted(text):
        out += [invalid(path, text, why) for why in names.qualified_name(subscript[2].lower())]
        return
    if text.startswith(("metadata.", "spec.", "status.")):
        if text not in supported:
            out.append(not_supported(path, text, supported))
        return
    out.append(invalid(path, text, f"error converting fieldPath: field label not supported: {text}"))


def check_resource_field(resource: str | None, path: str, out: Causes) -> None:
    """A container's limit or request in the downward API."""
    if not resource:
        out.append(required(path))
    elif not _ENV_RESOURCES(resource):
        supported = [f"{kind}.{name}" for kind in ("limits", "requests") for name in _RESOURCE_FIELDS]
        out.append(not_supported(path, resource, supported))


_RESOURCE_FIELDS = ("cpu", "memory", "ephemeral-storage")


def _check_env_from(sources: list[Obj], path: str, out: Causes) -> None:
    for position, source in enumerate(sources):
        where = f"{path}[{position}]"
        check_optional_name(source.get("prefix"), f"{where}.prefix", names.env_name, out)
        given = present(source, ("configMapRef", "secretRef"))
        if not given:
            out.append(invalid(where, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            out.append(invalid(where, "", "may not have more than one field specified at a time"))
        for name in given:
            check_name(source[name].get("name"), f"{where}.{name}.name", names.dns1123_subdomain, out)


def _check_mounts(mounts: list[Obj], path: str, volumes: Collection[str | None], out: Causes) -> None:
    seen: set[str] = set()
    for position, mount in enumerate(mounts):
        where = f"{path}[{position}]"
        name, mount_path = mount.get("name"), mount.get("mountPath")
        if not name:
            out.append(required(f"{where}.name"))
        if name not in volumes:
            out.append(not_found(f"{where}.name", name or ""))
        if not mount_path:
            out.append(required(f"{where}.mountPath"))
        elif mount_path in seen:
            out.append(invalid(f"{where}.mountPath", mount_path, "must be unique"))
        seen.add(mount_path or "")
        if mount.get("subPath") and mount.get("subPathExpr"):
            out.append(
                invalid(f"{where}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
            )
        for field in ("subPath", "subPathExpr"):
            if mount.get(field):
                check_relative(mount[field], f"{where}.{field}", out)


def _check_propagation(container: Obj, mounts: list[Obj], path: str, out: Causes) -> None:
    """Only a privileged container may hand its own mounts on to the host."""
    privileged = (container.get("securityContext") or {}).get("privileged")
    for position, mount in enumerate(mounts):
        where, mode = f"{path}[{position}].mountPropagation", mount.get("mountPropagation")
        check_enum(mode, where, ("Bidirectional", "HostToContainer", "None"), out)
        if mode == "Bidirectional" and not privileged:
            why = "Bidirectional mount propagation is available only to privileged containers"
            out.append(forbidden(where, why))
