"""The control of where a Pod's volumes come from.

Rule: Pod Security Standards, restricted, Volume Types; k8s.io/pod-security-admission/policy.
"""

from __future__ import annotations

from homeostat.api.podsecurity.check import Check, Revision, Violation, counted, listed, quoted, spec_of
from homeostat.api.podsecurity.host import HOST_PATHS
from homeostat.api.podsecurity.levels import RESTRICTED
from homeostat.api.types import Obj

_ALLOWED = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
# Of a volume with several sources (validation refuses it) the first is named.
_RESTRICTED = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
)


def _sources(pod: Obj) -> Violation | None:
    bad: list[str] = []
    types: set[str] = set()
    for volume in spec_of(pod).get("volumes") or ():
        if any(volume.get(source) is not None for source in _ALLOWED):
            continue
        bad.append(volume.get("name") or "")
        types.add(next((source for source in _RESTRICTED if volume.get(source) is not None), "unknown"))
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    what = f"{counted('restricted volume type', types)} {quoted(sorted(types))}"
    return Violation("restricted volume types", f"{listed('volume', bad)} {verb} {what}")


CHECKS = (Check("restrictedVolumes", RESTRICTED, (Revision(0, _sources, HOST_PATHS),)),)
