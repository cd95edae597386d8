"""Static pods: read from the files of a folder, without any API; each gets its identity from its file and its node.

Rules: kubelet/config/common.go (applyDefaults) and kubetypes' annotations. A file that cannot be read as a Pod is
reported and passed over; the others are not affected.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson

from homeostat.api import meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.documents import yaml_documents
from homeostat.api.documents.json_documents import DocumentError
from homeostat.api.errors import ApiError
from homeostat.api.kinds import POD
from homeostat.api.rules import wellknown
from homeostat.api.rules.tolerations import with_toleration
from homeostat.api.shape.structural import conform
from homeostat.api.types import Obj
from homeostat.api.validation import validate_create
from homeostat.kit.clock import rfc3339_micro
from homeostat.kit.log import logger

_log = logger("kubelet.static")
_SUFFIXES = (".yaml", ".yml", ".json")


class StaticPodError(ValueError):
    """The file is not a usable Pod."""


def read_folder(folder: Path, node_name: str, now: float) -> dict[str, Obj]:
    """The pods of a folder by uid. Files whose names begin with a dot are ignored."""
    pods: dict[str, Obj] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.suffix not in _SUFFIXES:
            continue
        try:
            pod = parse(path.read_bytes(), str(path), node_name, now)
        except (OSError, StaticPodError) as error:
            _log.warning("static pod %s: %s", path.name, error)
            continue
        pods[meta.uid(pod)] = pod
    return pods


def parse(text: bytes, source: str, node_name: str, now: float) -> Obj:
    """The pod of one file as this node runs it. Raises StaticPodError."""
    try:
        pod = yaml_documents.load(text)
    except DocumentError as error:
        raise StaticPodError(f"not YAML: {error}") from error
    _check(pod)
    metadata = dict(pod["metadata"])
    digest = hashlib.md5(orjson.dumps([node_name, source]) + text, usedforsecurity=False).hexdigest()
    metadata |= {"name": f"{metadata['name']}-{node_name}", "namespace": metadata.get("namespace") or "default"}
    metadata["uid"] = digest
    annotations = {
        wellknown.ANNOTATION_CONFIG_HASH: digest,
        wellknown.ANNOTATION_CONFIG_SOURCE: "file",
        wellknown.ANNOTATION_CONFIG_SEEN: rfc3339_micro(now),
    }
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    body = {**pod["spec"], "nodeName": node_name}
    # Static pods tolerate every NoExecute taint of their node.
    everything = {"operator": "Exists", "effect": wellknown.NO_EXECUTE}
    body["tolerations"] = with_toleration(body.get("tolerations") or [], everything)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def _check(pod: object) -> None:
    """Bring the pod into shape as the API would. Raises StaticPodError."""
    if not isinstance(pod, dict) or pod.get("apiVersion") != "v1" or pod.get("kind") != "Pod":
        raise StaticPodError("not a v1 Pod")
    try:
        resource = Catalogue.builtin().resource(POD)
        missing = conform(resource, pod, field_validation="Strict").missing
        resource.apply_defaults(pod)
    except ApiError as error:
        raise StaticPodError(str(error)) from error
    causes = missing or validate_create(POD, pod)
    if causes:
        raise StaticPodError("; ".join(cause.text() for cause in causes))
