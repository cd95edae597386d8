"""Volumes of a Pod: unique names, exactly one source each, and the sources' own fields."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api import names
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum, check_name
from homeostat.api.validation.podspec.containers import check_field_path, check_resource_field
from homeostat.api.validation.podspec.paths import check_relative
from homeostat.api.validation.podspec.resources import check_amount

_DOWNWARD_FIELDS = frozenset(
    ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
)
_PROJECTED = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
_TOKEN_SECONDS_MIN = 600
_HOST_TYPES = ("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def check_volumes(volumes: list[Obj], path: str, out: Causes) -> None:
    """All volumes of a Pod's spec."""
    seen: set[str] = set()
    for position, volume in enumerate(volumes):
        where = f"{path}[{position}]"
        name = volume.get("name")
        check_name(name, f"{where}.name", names.dns1123_label, out)
        if name and name in seen:
            out.append(duplicate(f"{where}.name", name))
        seen.add(name or "")
        sources = [field for field, value in volume.items() if field != "name" and value is not None]
        if not sources:
            out.append(required(where, "must specify a volume type"))
        for extra in sources[1:]:
            out.append(forbidden(f"{where}.{extra}", "may not specify more than 1 volume type"))
        if sources and (check := _SOURCES.get(sources[0])):
            check(volume[sources[0]], f"{where}.{sources[0]}", out)


def _check_empty_dir(source: Obj, path: str, out: Causes) -> None:
    limit = source.get("sizeLimit")
    if limit is not None:
        amount = check_amount(limit, f"{path}.sizeLimit", [])
        if amount is None or amount.nanos < 0:
            out.append(forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity"))


def _check_config_map(source: Obj, path: str, out: Causes) -> None:
    if not source.get("name"):
        out.append(required(f"{path}.name"))
    _check_items(source, path, out)


def _check_secret(source: Obj, path: str, out: Causes) -> None:
    if not source.get("secretName"):
        out.append(required(f"{path}.secretName"))
    _check_items(source, path, out)


def _check_mode(mode: int | None, path: str, out: Causes) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        out.append(invalid(path, mode, _MODE))


def _check_items(source: Obj, path: str, out: Causes) -> None:
    _check_mode(source.get("defaultMode"), f"{path}.defaultMode", out)
    for position, item in enumerate(source.get("items") or ()):
        where = f"{path}.items[{position}]"
        if not item.get("key"):
            out.append(required(f"{where}.key"))
        _check_path(item.get("path"), f"{where}.path", out)
        _check_mode(item.get("mode"), f"{where}.mode", out)


def _check_path(text: str | None, path: str, out: Causes) -> None:
    if not text:
        out.append(required(path))
        return
    check_relative(text, path, out)
    if text.startswith("..") and ".." not in text.split("/"):
        out.append(invalid(path, text, "must not start with '..'"))


def _check_downward(source: Obj, path: str, out: Causes) -> None:
    _check_mode(source.get("defaultMode"), f"{path}.defaultMode", out)
    for position, item in enumerate(source.get("items") or ()):
        where = f"{path}.items[{position}]"
        _check_path(item.get("path"), f"{where}.path", out)
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field and resource:
            out.append(invalid(where, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
        elif field:
            check_field_path(field.get("fieldPath"), f"{where}.fieldRef.fieldPath", _DOWNWARD_FIELDS, out)
        elif resource:
            if not resource.get("containerName"):
                out.append(required(f"{where}.resourceFieldRef.containerName"))
            check_resource_field(resource.get("resource"), f"{where}.resourceFieldRef.resource", out)
        else:
            out.append(required(f"{where}.fieldRef", "one of fieldRef and resourceFieldRef is required"))


def _check_projected(source: Obj, path: str, out: Causes) -> None:
    _check_mode(source.get("defaultMode"), f"{path}.defaultMode", out)
    for position, part in enumerate(source.get("sources") or ()):
        where = f"{path}.sources[{position}]"
        given = [name for name in _PROJECTED if part.get(name) is not None]
        for extra in given[1:]:
            out.append(forbidden(f"{where}.{extra}", "may not specify more than 1 volume type"))
        if not given:
            out.append(required(where, "must specify one of: " + ", ".join(_PROJECTED)))
            continue
        inner, at = part[given[0]], f"{where}.{given[0]}"
        if given[0] in ("secret", "configMap"):
            _check_config_map(inner, at, out)
        elif given[0] == "downwardAPI":
            _check_downward(inner, at, out)
        elif given[0] == "serviceAccountToken":
            _check_token(inner, at, out)


def _check_token(source: Obj, path: str, out: Causes) -> None:
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < _TOKEN_SECONDS_MIN:
        out.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    elif seconds is not None and seconds > 1 << 32:
        out.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    _check_path(source.get("path"), f"{path}.path", out)


def _check_host_path(source: Obj, path: str, out: Causes) -> None:
    text = source.get("path")
    if not text:
        out.append(required(f"{path}.path"))
    elif ".." in text.split("/"):
        out.append(invalid(f"{path}.path", text, "must not contain '..'"))
    check_enum(source.get("type"), f"{path}.type", _HOST_TYPES, out)


def _check_claim(source: Obj, path: str, out: Causes) -> None:
    if not source.get("claimName"):
        out.append(required(f"{path}.claimName"))


_SOURCES: dict[str, Callable[[Obj, str, Causes], None]] = {
    "emptyDir": _check_empty_dir,
    "configMap": _check_config_map,
    "secret": _check_secret,
    "downwardAPI": _check_downward,
    "projected": _check_projected,
    "hostPath": _check_host_path,
    "persistentVolumeClaim": _check_claim,
}
