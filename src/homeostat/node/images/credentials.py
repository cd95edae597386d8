"""Which credentials of a pod's pull secrets are for an image's registry. Pure.

Rules: pkg/credentialprovider (config.go, keyring.go): the two forms of docker's configuration, keys that are hosts with
wildcards and paths, and the most specific key first.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
from collections.abc import Iterable
from typing import Any

import orjson

from homeostat.api.types import Obj
from homeostat.runtime.contract import ImageAuth

_FORMS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
_DEFAULT_HOSTS = ("docker.io", "index.docker.io")


def credentials(image: str, secrets: Iterable[Obj]) -> list[ImageAuth]:
    """The credentials to try, in order; empty: pull without any. A secret that cannot be read gives none."""
    found: list[tuple[str, ImageAuth]] = []
    for secret in secrets:
        for key, entry in _entries(secret).items():
            auth = _auth(key, entry) if isinstance(entry, dict) else None
            if auth is not None:
                found.append((_key(key), auth))
    # Longer keys of one registry are more specific, and sort behind the shorter ones.
    found.sort(key=lambda pair: pair[0], reverse=True)
    matching = [auth for key, auth in found if _matches(key, image)]
    if not matching and _is_default_registry(image):
        matching = [auth for key, auth in found if key.partition("/")[0] in _DEFAULT_HOSTS]
    return list(dict.fromkeys(matching))


def _entries(secret: Obj) -> dict[str, Any]:
    kind = secret.get("type") or ""
    field = _FORMS.get(kind, "")
    try:
        decoded = orjson.loads(base64.b64decode((secret.get("data") or {}).get(field) or ""))
    except (orjson.JSONDecodeError, binascii.Error):
        return {}
    if isinstance(decoded, dict) and field == ".dockerconfigjson":
        decoded = decoded.get("auths")
    return decoded if isinstance(decoded, dict) else {}


def _auth(server: str, entry: Obj) -> ImageAuth | None:
    username, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    return ImageAuth(
        username=username,
        password=password,
        server=server,
        identity_token=entry.get("identitytoken") or "",
        registry_token=entry.get("registrytoken") or "",
    )


def _key(written: str) -> str:
    """HOST[:PORT][/PATH] of a key, which may be a URL with an API version."""
    bare = written.partition("://")[2] or written
    host, slash, path = bare.partition("/")
    if path in ("v1", "v2") or path.startswith(("v1/", "v2/")):
        path = path[3:]
    path = path.rstrip("/")
    return f"{host}{slash}{path}" if path else host


def _matches(key: str, image: str) -> bool:
    host, _, path = key.partition("/")
    image_host, _, image_path = image.partition("/")
    name, _, port = host.partition(":")
    image_name, _, image_port = image_host.partition(":")
    parts, image_parts = name.split("."), image_name.split(".")
    return (
        port == image_port
        and len(parts) == len(image_parts)
        and image_path.startswith(path)
        and all(fnmatch.fnmatchcase(given, wanted) for given, wanted in zip(image_parts, parts, strict=True))
    )


def _is_default_registry(image: str) -> bool:
    first, slash, _ = image.partition("/")
    return not slash or first in _DEFAULT_HOSTS or not any(mark in first for mark in ".:")
