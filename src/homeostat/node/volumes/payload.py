"""The files of configMap, secret, downwardAPI and projected volumes, from the objects that they show. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from homeostat.api.types import Obj
from homeostat.node.isolation.security import file_user
from homeostat.node.podspec import spec
from homeostat.node.podspec.downward import ConfigError, Surroundings, field_value, resource_value
from homeostat.node.podspec.env import Sources, data_of

MODE_DEFAULT = 0o644
# The kinds of volumes that a node can make.
FILES = ("configMap", "secret", "downwardAPI", "projected")
FOLDERS = ("emptyDir", "hostPath")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int = MODE_DEFAULT
    user: int | None = None


@dataclass(frozen=True, slots=True)
class TokenProjection:
    """A service account token that a projected volume asks for."""

    audience: str
    expiration_seconds: int
    path: str


def volume_type(volume: Obj) -> str:
    """The name of the volume's one source."""
    return next((key for key, value in volume.items() if key != "name" and value is not None), "emptyDir")


def sources_of(volume: Obj) -> list[Obj]:
    """The sources of a volume as a projected volume has them."""
    kind = volume_type(volume)
    if kind == "projected":
        return list(volume["projected"].get("sources") or [])
    if kind == "secret":
        source = dict(volume["secret"])
        source["name"] = source.pop("secretName", "")
        return [{"secret": source}]
    return [{kind: volume[kind]}] if kind in FILES else []


def references(volume: Obj) -> Iterator[tuple[str, str]]:
    """The ConfigMaps and Secrets that a volume shows."""
    for source in sources_of(volume):
        for kind, field in (("ConfigMap", "configMap"), ("Secret", "secret")):
            if field in source:
                yield kind, source[field].get("name") or ""


def token_projections(volume: Obj) -> Iterator[TokenProjection]:
    """The tokens that a volume shows."""
    for source in sources_of(volume):
        projection = source.get("serviceAccountToken")
        if projection is not None:
            seconds = int(projection.get("expirationSeconds") or 3600)
            yield TokenProjection(projection.get("audience") or "", seconds, projection["path"])


def files(
    pod: Obj, volume: Obj, sources: Sources, tokens: Mapping[TokenProjection, str], around: Surroundings
) -> dict[str, File]:
    """All files of a volume by their path in it. Raises ConfigError."""
    mode = _mode(volume.get(volume_type(volume)) or {}, "defaultMode", MODE_DEFAULT)
    result: dict[str, File] = {}
    for projection in token_projections(volume):
        result[projection.path] = _token(pod, tokens[projection], mode, around)
    for source in sources_of(volume):
        for kind, field in (("ConfigMap", "configMap"), ("Secret", "secret")):
            if field in source:
                result |= _from_object(kind, source[field], sources, mode)
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            result[item["path"]] = File(_downward(pod, item, around).encode(), _mode(item, "mode", mode))
        unknown = set(source) - {"configMap", "secret", "downwardAPI", "serviceAccountToken"}
        if unknown:
            raise ConfigError(f"projected source {sorted(unknown)[0]} is not supported by this node")
    return result


def _token(pod: Obj, token: str, mode: int, around: Surroundings) -> File:
    """A token is for the pod's one user or its group alone; without either everybody in the pod reads it."""
    if not around.isolates:
        return File(token.encode(), 0o600 if mode == MODE_DEFAULT else mode)
    user, group = file_user(pod), spec.fs_group(pod)
    return File(token.encode(), mode if user is None and group is None else 0o600, user)


def _mode(source: Obj, field: str, default: int) -> int:
    """A mode that is given, though it be 0; else the default."""
    given = source.get(field)
    return default if given is None else int(given)


def _downward(pod: Obj, item: Obj, around: Surroundings) -> str:
    if item.get("fieldRef"):
        return field_value(pod, item["fieldRef"]["fieldPath"], around)
    return resource_value(pod, {}, item["resourceFieldRef"], around)


def _from_object(kind: str, source: Obj, sources: Sources, mode: int) -> dict[str, File]:
    name, optional = source.get("name") or "", bool(source.get("optional"))
    found = sources.get((kind, name))
    if found is None:
        if optional:
            return {}
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = data_of(kind, found)
    if not source.get("items"):
        return {key: File(value, mode) for key, value in data.items()}
    result = {}
    for item in source["items"]:
        if item["key"] in data:
            result[item["path"]] = File(data[item["key"]], _mode(item, "mode", mode))
        elif not optional:
            raise ConfigError(f"references non-existent {_WORDS[kind]} key: {item['key']}")
    return result


_WORDS = {"ConfigMap": "config", "Secret": "secret"}
