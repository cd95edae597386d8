"""Kubeconfig files: the cluster's own, and its entries in the user's, which keeps everything else it holds."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml

from homeostat.api.documents import yaml_documents
from homeostat.api.documents.json_documents import DocumentError
from homeostat.cluster.state_folder import LabError, replace_file

Config = dict[str, Any]


def build(*, context: str, server: str, ca: bytes, certificate: bytes, key: bytes) -> Config:
    """A kubeconfig with one cluster, one user and one context, all called `context`. PEM files go in as they are."""

    def data(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": data(ca)}}],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }


def user_file() -> Path:
    """Where kubectl would write: the first file of $KUBECONFIG, or ~/.kube/config."""
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(listed[0]) if listed else Path.home() / ".kube" / "config"


def merge(own: Config, file: Path) -> str:
    """Put `own`'s entries into `file`, make its context current; other entries stay as they are.

    Returns the context that was current before, empty when there was none. Raises LabError when the file is there but
    is no kubeconfig: it is left alone.
    """
    config = _read(file)
    before = str(config.get("current-context") or "")
    for part in ("clusters", "users", "contexts"):
        entry = own[part][0]
        others = [e for e in config.get(part) or [] if e.get("name") != entry["name"]]
        config[part] = [*others, entry]
    config["current-context"] = own["current-context"]
    _write(file, config)
    return before


def remove(context: str, file: Path, *, previous: str = "") -> None:
    """Take the entries called `context` out of `file`; other entries stay. Where it was current `previous` is then, if
    the file has it."""
    if not file.exists():
        return
    config = _read(file)
    for part in ("clusters", "users", "contexts"):
        config[part] = [e for e in config.get(part) or [] if e.get("name") != context]
    if config.get("current-context") == context:
        there = any(e.get("name") == previous for e in config["contexts"])
        config["current-context"] = previous if there else ""
    _write(file, config)


def load(file: Path) -> Config:
    """The kubeconfig in a file; an empty one when there is none. Raises LabError."""
    return _read(file)


def dump(config: Config) -> bytes:
    """As YAML."""
    return yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def _read(file: Path) -> Config:
    empty: Config = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    try:
        config = yaml_documents.load(file.read_bytes())
    except FileNotFoundError:
        return empty
    except (OSError, DocumentError) as error:
        raise LabError(f"{file} is no kubeconfig that can be read ({_first_line(error)}); it was left alone") from error
    if config is None:
        return empty
    if not isinstance(config, dict):
        raise LabError(f"{file} is no kubeconfig; it was left alone")
    return config


def _write(file: Path, config: Config) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    target = file.resolve()
    replace_file(target, dump(config))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
