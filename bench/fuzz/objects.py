"""Objects that a server accepts, or nearly: a few written by hand, the others made from the schemas of their kinds."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from homeostat.api.kinds import Kind, Subresource
from homeostat.api.shape.schema import Schema, schema_of

NAMES = ("fuzz-a", "fuzz-b", "fuzz-a", "fuzz-b", "fuzz-c", "fuzz-d")
NAMESPACES = ("fuzz-1", "fuzz-2", "default")
_TEXTS = ("", "a", "b", "RollingUpdate", "ClientIP", "Always", "Container", "User", "None", "Exists", "TCP", "x=y", "*")
_QUANTITIES = ("1", "1500m", "0.5", "128Mi", "1024Ki", "2e3")
_DEPTH_MAX = 10

_POD = {
    "containers": [
        {
            "name": "app",
            "image": "registry.example/app:1",
            "ports": [{"containerPort": 80, "name": "http"}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        }
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "tolerations": [{"key": "k", "operator": "Exists"}],
}
_TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": _POD}
_SELECTED = {"selector": {"matchLabels": {"app": "a"}}, "template": _TEMPLATE}
_RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "fuzz-a"}
# By kind: the fields beside the metadata. Those of the same name in other groups are near enough.
SPECIMENS: dict[str, dict[str, Any]] = {
    "Pod": {"spec": _POD},
    "Deployment": {"spec": {"replicas": 1, **_SELECTED}},
    "ReplicaSet": {"spec": {"replicas": 1, **_SELECTED}},
    "StatefulSet": {"spec": {"replicas": 1, "serviceName": "fuzz-a", **_SELECTED}},
    "DaemonSet": {"spec": _SELECTED},
    "Job": {"spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}},
    "CronJob": {
        "spec": {
            "schedule": "*/5 * * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}}},
        }
    },
    "ReplicationController": {"spec": {"replicas": 1, "selector": {"app": "a"}, "template": _TEMPLATE}},
    "Service": {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "http"}]}},
    "ConfigMap": {"data": {"k": "v"}, "binaryData": {"b": "aGk="}},
    "Secret": {"stringData": {"k": "v"}, "type": "Opaque"},
    "Namespace": {},
    "ServiceAccount": {"secrets": [{"name": "s"}]},
    "Node": {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}, "status": {"capacity": {"cpu": "1"}}},
    "PodDisruptionBudget": {"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "a"}}}},
    "Role": {"rules": [_RULE]},
    "ClusterRole": {"rules": [_RULE], "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}},
    "RoleBinding": {
        "roleRef": _ROLE,
        "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}],
    },
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "NetworkPolicy": {"spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}},
    "Lease": {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}},
    "Event": {
        "involvedObject": {"kind": "Pod", "name": "fuzz-a", "namespace": "fuzz-1"},
        "reason": "R",
        "type": "Normal",
    },
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    "PersistentVolumeClaim": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "PersistentVolume": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    "StorageClass": {"provisioner": "a/b"},
    "PriorityClass": {"value": 7},
    "ResourceQuota": {"spec": {"hard": {"pods": "10"}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    "HorizontalPodAutoscaler": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 3}},
    "CustomResourceDefinition": {
        "spec": {
            "group": "fuzz.test",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        }
    },
    "CertificateSigningRequest": {
        "spec": {"request": "aGk=", "signerName": "example.com/s", "usages": ["client auth"]}
    },
    "TokenReview": {"spec": {"token": "t", "audiences": ["a"]}},
    "SubjectAccessReview": {
        "spec": {
            "user": "u",
            "groups": ["g"],
            "extra": {"k": ["v"]},
            "resourceAttributes": {"verb": "get", "resource": "pods"},
        }
    },
    "SelfSubjectAccessReview": {
        "spec": {
            "resourceAttributes": {
                "verb": "get",
                "resource": "pods",
                "fieldSelector": {"requirements": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]},
            }
        }
    },
    "LocalSubjectAccessReview": {
        "spec": {"user": "u", "resourceAttributes": {"namespace": "fuzz-1", "verb": "get", "resource": "pods"}}
    },
    "SelfSubjectRulesReview": {"spec": {"namespace": "fuzz-1"}},
    "Eviction": {"deleteOptions": {"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}}},
    "Binding": {"target": {"kind": "Node", "name": "fuzz-a"}},
    "Scale": {"spec": {"replicas": 2}},
    "TokenRequest": {
        "spec": {
            "audiences": ["a"],
            "expirationSeconds": 3600,
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "fuzz-a"},
        }
    },
    "DeleteOptions": {
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
        "preconditions": {"resourceVersion": "1"},
    },
}


def any_object(kind: Kind | Subresource, random: Random, *, name: str, namespace: str) -> dict[str, Any]:
    """One object: mostly the kind's specimen with some more fields, else made from its schema alone."""
    specimen = SPECIMENS.get(kind.kind)
    if specimen is not None and random.random() < 0.75:
        obj = copy.deepcopy(specimen)
        if random.random() < 0.4:
            _add(obj, schema_of(kind), random)
    else:
        obj = _value(schema_of(kind), random, _DEPTH_MAX)
        obj.pop("status", None)
    metadata: dict[str, Any] = {"labels": {"app": random.choice("ab")}} if random.random() < 0.5 else {}
    if random.random() < 0.9:
        metadata["name"] = name
    else:
        metadata["generateName"] = "fuzz-"
    if random.random() < 0.5 and getattr(kind, "namespaced", True):
        metadata["namespace"] = namespace
    head = {"apiVersion": kind.api_version, "kind": kind.kind} if random.random() < 0.9 else {}
    return {**head, **obj, "metadata": metadata}


def _add(obj: dict[str, Any], place: Schema, random: Random) -> None:
    """Fields that the object does not have, somewhere in it."""
    here: Any = obj
    while isinstance(here, dict) and here and random.random() < 0.7:
        name = random.choice(list(here))
        inner = place.field(name)
        if inner is None or not isinstance(here[name], dict):
            break
        here, place = here[name], inner
    for name in random.sample(sorted(place.properties), min(2, len(place.properties))):
        if name not in here:
            here[name] = _value(place.properties[name], random, 3)


def _value(place: Schema, random: Random, depth: int) -> Any:
    if place.preserve_unknown:
        return {"x": random.choice(_TEXTS)}
    if place.type == "array":
        assert place.items is not None
        items = place.items
        return [_value(items, random, depth - 1) for _ in range(random.choice((0, 1, 2)) if depth > 0 else 0)]
    if place.values is not None:
        values = place.values
        return {
            key: _value(values, random, depth - 1) for key in random.sample(("a", "b", "c/d"), random.choice((0, 2)))
        }
    if place.type == "object":
        fields = place.properties.items() if depth > 0 else ()
        share = 0.6 if depth > _DEPTH_MAX - 3 else 0.25
        return {name: _value(child, random, depth - 1) for name, child in fields if random.random() < share}
    return _scalar(place, random)


def _scalar(place: Schema, random: Random) -> Any:
    if place.is_quantity:
        return random.choice(_QUANTITIES)
    if place.is_int_or_string:
        return random.choice((0, 1, 80, "http", "25%"))
    match place.format, place.type:
        case "date-time", _:
            return random.choice(("2026-01-01T00:00:00Z", "0001-01-01T00:00:01Z", "2026-01-01T00:00:00.123456+02:00"))
        case "byte", _:
            return "aGVsbG8="
        case _, "integer":
            return random.choice((0, 1, 7, 65535, -1))
        case _, "number":
            return random.choice((0.5, 2))
        case _, "boolean":
            return random.random() < 0.5
    return random.choice(_TEXTS)
