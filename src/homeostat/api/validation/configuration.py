"""ConfigMap and Secret: keys, size, what each type of Secret must hold, and `immutable`.

Rules: pkg/apis/core/validation (ValidateConfigMap, ValidateSecret and their updates).
"""

from __future__ import annotations

import base64
import binascii
import json

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, required, too_long
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_immutable

_BYTES_MAX = 1024 * 1024
_IMMUTABLE = "field is immutable when `immutable` is set"
_DOCKER = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_NEEDED = {"kubernetes.io/ssh-auth": ("ssh-privatekey",), "kubernetes.io/tls": ("tls.crt", "tls.key")}


def check_configmap(obj: Obj, out: Causes) -> None:
    """A ConfigMap: its keys, once each, and 1 MiB in all."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    total_bytes = 0
    for key, value in data.items():
        out += [invalid(f"data[{key}]", key, why) for why in names.config_key(key)]
        if key in binary:
            out.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total_bytes += len(value) if value.isascii() else len(value.encode())
    for key, value in binary.items():
        out += [invalid(f"binaryData[{key}]", key, why) for why in names.config_key(key)]
        total_bytes += _decoded_bytes(value)
    if total_bytes > _BYTES_MAX:
        out.append(too_long("", _BYTES_MAX))


def _decoded_bytes(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text[-2:].count("=")


def check_configmap_update(new: Obj, old: Obj, out: Causes) -> None:
    """An immutable ConfigMap stays as it is."""
    _check_frozen(new, old, ("data", "binaryData"), out)


def _check_frozen(new: Obj, old: Obj, fields: tuple[str, ...], out: Causes) -> None:
    if not old.get("immutable"):
        return
    for field in ("immutable", *fields):
        if (new.get(field) or None) != (old.get(field) or None):
            out.append(forbidden(field, _IMMUTABLE))


def check_secret(obj: Obj, out: Causes) -> None:
    """A Secret: its keys, 1 MiB in all, and what its type asks for. Values are base64; `stringData` has
    become `data` before."""
    data = obj.get("data") or {}
    total_bytes = 0
    for key, value in data.items():
        out += [invalid(f"data[{key}]", key, why) for why in names.config_key(key)]
        total_bytes += _decoded_bytes(value)
    if total_bytes > _BYTES_MAX:
        out.append(too_long("data", _BYTES_MAX))
    kind = obj.get("type") or "Opaque"
    if kind == "kubernetes.io/service-account-token":
        if not ((obj.get("metadata") or {}).get("annotations") or {}).get(wellknown.ANNOTATION_SERVICE_ACCOUNT):
            out.append(required(f"metadata.annotations[{wellknown.ANNOTATION_SERVICE_ACCOUNT}]"))
    elif kind in _DOCKER:
        _check_docker(obj, _DOCKER[kind], out)
    elif kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        out += [required("data[username]"), required("data[password]")]
    for key in _NEEDED.get(kind, ()):
        if key not in data or (kind == "kubernetes.io/ssh-auth" and not data[key]):
            out.append(required(f"data[{key}]"))


def _check_docker(obj: Obj, key: str, out: Causes) -> None:
    encoded = (obj.get("data") or {}).get(key)
    if encoded is None:
        out.append(required(f"data[{key}]"))
        return
    try:
        json.loads(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error) as problem:
        out.append(invalid(f"data[{key}]", "<secret contents redacted>", str(problem)))


def check_secret_update(new: Obj, old: Obj, out: Causes) -> None:
    """A Secret keeps its type; an immutable one stays as it is."""
    check_immutable(new.get("type") or "Opaque", old.get("type") or "Opaque", "type", out)
    _check_frozen(new, old, ("data",), out)
