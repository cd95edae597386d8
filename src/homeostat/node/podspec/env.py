"""A container's environment, from its spec and from the objects that it refers to. Pure.

Order and rules are the kubelet's (makeEnvironmentVariables): envFrom first, then env, each seeing the ones before it in
`$(NAME)`; service variables have lower priority than both.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node.podspec.downward import ConfigError, Surroundings, field_value, resource_value

# (ConfigMap or Secret, name) in the pod's namespace; None where there is no such object.
Sources: TypeAlias = Mapping[tuple[str, str], Obj | None]
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def references(container: Obj) -> Iterator[tuple[str, str]]:
    """The ConfigMaps and Secrets that the environment refers to."""
    for source in container.get("envFrom") or []:
        for kind, ref in (("ConfigMap", source.get("configMapRef")), ("Secret", source.get("secretRef"))):
            if ref:
                yield kind, ref["name"]
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        for kind, ref in (("ConfigMap", source.get("configMapKeyRef")), ("Secret", source.get("secretKeyRef"))):
            if ref:
                yield kind, ref["name"]


def environment(
    pod: Obj, container: Obj, sources: Sources, services: Mapping[str, str], around: Surroundings
) -> dict[str, str]:
    """The variables, in order. `services` are those of `service_env`. Raises ConfigError."""
    result: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        result |= _from_all(pod, source, sources)
    for variable in container.get("env") or []:
        if variable.get("valueFrom"):
            value = _from_source(pod, container, variable["valueFrom"], sources, around)
        else:
            value = expand(variable.get("value") or "", {**services, **result})
        if value is not None:
            result[variable["name"]] = value
    return {**services, **result}


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by its value; an unknown one stays; `$$` is a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else values.get(name, match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(text: str, values: Mapping[str, str]) -> str:
    """`expand` where each name must have a value that is not empty, as in `subPathExpr`. Raises ConfigError."""
    names = {match[1] for match in _REFERENCE.finditer(text) if match[1] is not None}
    if missing := sorted(name for name in names if not values.get(name)):
        raise ConfigError(f"missing value for {', '.join(missing)}")
    return expand(text, values)


def data_of(kind: str, obj: Obj) -> dict[str, bytes]:
    """The data of a ConfigMap (data and binaryData) or a Secret."""
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    plain = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return plain | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _from_all(pod: Obj, source: Obj, sources: Sources) -> dict[str, str]:
    result: dict[str, str] = {}
    for kind, ref in (("ConfigMap", source.get("configMapRef")), ("Secret", source.get("secretRef"))):
        if not ref:
            continue
        found = _find(kind, ref, sources)
        for key, value in sorted(data_of(kind, found).items()) if found else ():
            result[f"{source.get('prefix') or ''}{key}"] = value.decode("utf-8", "surrogateescape")
    return result


def _from_source(pod: Obj, container: Obj, source: Obj, sources: Sources, around: Surroundings) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"], around)
    if "resourceFieldRef" in source:
        return resource_value(pod, container, source["resourceFieldRef"], around)
    for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if field in source:
            ref = source[field]
            found = _find(kind, ref, sources)
            data = data_of(kind, found) if found else {}
            if ref["key"] in data:
                return data[ref["key"]].decode("utf-8", "surrogateescape")
            if not ref.get("optional"):
                raise ConfigError(f"couldn't find key {ref['key']} in {kind} {meta.namespace(pod)}/{ref['name']}")
            return None
    raise ConfigError(f"unsupported environment source: {', '.join(sorted(source))}")


def _find(kind: str, ref: Obj, sources: Sources) -> Obj | None:
    found = sources.get((kind, ref["name"]))
    if found is None and not ref.get("optional"):
        raise ConfigError(f'{kind.lower()} "{ref["name"]}" not found')
    return found
