"""A small, purely synchronous cluster for stories about loops: objects, the loops' decisions, and a clock that jumps.

What loops ask for is applied at once by the rules of the API that matter to them (revisions, uids, generations,
patches, graceful deletion, finalizers). Nothing is asynchronous, so a story is fast and the same every time; that
loops work over real watches and a real API server is proven by the stories in `test_through_the_api.py`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from homeostat.api import kinds, meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError, conflict
from homeostat.api.kinds import Kind
from homeostat.api.patch import patch_forms
from homeostat.api.shape.schema import schema_of
from homeostat.kit.clock import rfc3339
from homeostat.loop.cache import CacheWorld
from homeostat.loop.contract import (
    Absent,
    Confirm,
    Create,
    Delete,
    DeleteCollection,
    IfAllowed,
    Later,
    Loop,
    Patch,
    Record,
    Remember,
    Update,
)
from homeostat.loop.objects import ObjectIndex

Obj = dict[str, Any]
NOW = 1_800_000_000.0
_DECISIONS_MAX = 20_000


class NeverSettles(AssertionError):
    """The loops go on and on without reaching a state that they are content with."""


class Bench:
    """`loops` over `objects`. `settle` lets everything happen that can happen now; `advance` lets time pass."""

    def __init__(self, loops: Iterable[Loop], objects: Iterable[Obj] = (), *, graceful: bool = False) -> None:
        self.now = NOW
        self.graceful = graceful
        self.events: list[tuple[str, str]] = []
        self.writes: list[tuple[str, str, str]] = []
        self.refuse: Callable[[object], ApiError | None] = lambda action: None
        self.allowed: Callable[[Obj], bool] = lambda review: False
        self.after: Callable[[], None] = lambda: None
        self._indexes: dict[tuple[str, str], ObjectIndex] = defaultdict(ObjectIndex)
        self._loops = list(loops)
        self._revision = 0
        self._names = 0
        self._queue: dict[tuple[int, str], None] = {}
        self._timers: dict[tuple[int, str], float] = {}
        self._failures: dict[tuple[int, str], str] = {}
        self._memories: dict[tuple[int, str], object] = {}
        self._deleted: set[str] = set()
        for obj in objects:
            self.put(obj)
        for number, loop in enumerate(self._loops):
            for key in loop.start_keys:
                self._queue[number, key] = None

    # What the story's author does and sees.

    def put(self, obj: Obj) -> Obj:
        """Create or replace an object, as a user or a node agent would."""
        kind = kind_of(obj)
        old = self.get(kind, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
        return self._store(kind, old, copy.deepcopy(obj))

    def change(self, kind: Kind, name: str, namespace: str, edit: Callable[[Obj], object]) -> Obj:
        """Change one object in place."""
        obj = copy.deepcopy(self.need(kind, name, namespace))
        edit(obj)
        return self.put(obj)

    def get(self, kind: Kind, name: str, namespace: str = "") -> Obj | None:
        return self._indexes[kind.group, kind.kind].get(namespace, name)

    def need(self, kind: Kind, name: str, namespace: str = "default") -> Obj:
        found = self.get(kind, name, namespace if kind.namespaced else "")
        assert found is not None, f"no {kind.kind} {name}"
        return found

    def all(self, kind: Kind, namespace: str = "") -> list[Obj]:
        return list(self._indexes[kind.group, kind.kind].list(namespace))

    def names(self, kind: Kind, namespace: str = "") -> list[str]:
        return [meta.name(obj) for obj in self.all(kind, namespace)]

    def remove(self, kind: Kind, name: str, namespace: str = "default") -> None:
        """The object is gone at once."""
        old = self.need(kind, name, namespace)
        self._indexes[kind.group, kind.kind].remove(meta.namespace(old), name)
        self._changed(kind, old, None)

    def delete(self, kind: Kind, name: str, namespace: str = "default", *, propagation: str = "") -> None:
        """Ask for deletion, as kubectl does."""
        self._delete(Delete(kind, namespace if kind.namespaced else "", name, propagation=propagation))

    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.events]

    def settle(self) -> None:
        """Decide until no key is left."""
        decisions = 0
        while self._queue:
            number, key = next(iter(self._queue))
            del self._queue[number, key]
            decisions += 1
            if decisions > _DECISIONS_MAX:
                raise NeverSettles(f"still busy: {self._loops[number].name} {key}; last writes {self.writes[-6:]}")
            self._decide(number, key)
            self.after()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; what was to be looked at later is looked at when its time comes."""
        end = self.now + seconds
        self.settle()
        while due := [(at, place) for place, at in self._timers.items() if at <= end]:
            at, place = min(due)
            self.now = max(self.now, at)
            del self._timers[place]
            self._queue[place] = None
            self.settle()
        self.now = end

    def set_clock(self, seconds: float) -> None:
        """The wall clock is set forward (or back, where negative); what waits waits no shorter or longer for it."""
        self.now += seconds
        self._timers = {place: at + seconds for place, at in self._timers.items()}

    def sleep(self, seconds: float) -> None:
        """Time passes and no loop looks; what has become due meanwhile is looked at afterwards."""
        self.now += seconds
        for place in [place for place, at in self._timers.items() if at <= self.now]:
            del self._timers[place]
            self._queue[place] = None

    # What the loops do.

    def _decide(self, number: int, key: str) -> None:
        place = (number, key)
        memory = self._memories.get(place)
        world = CacheWorld(self._indexes, self.now, self._failures.pop(place, ""), memory=memory)
        world.deleted = self._deleted if self._loops[number].deletions_max else ()
        before = copy.deepcopy(self._everything()) if len(self._everything()) < 40 else None
        actions = self._loops[number].decide(key, world)
        assert before is None or before == self._everything(), f"{self._loops[number].name} changed what it was shown"
        self._timers.pop(place, None)
        for action in actions:
            try:
                self._perform(action, place)
            except ApiError as error:
                self._failures[place] = error.message
                if failed := getattr(action, "failed", None):
                    self._record(failed, error.message)
                # The queue would back off; a second keeps stories short.
                self._later(place, 1.0)
                return

    def _everything(self) -> list[Obj]:
        return [obj for index in list(self._indexes.values()) for obj in index.list()]

    def _later(self, place: tuple[int, str], seconds: float) -> None:
        at = self.now + seconds
        self._timers[place] = min(at, self._timers.get(place, at))

    def _record(self, record: Record, filling: str = "") -> None:
        self.events.append((record.reason, record.message.replace("{name}", filling).replace("{error}", filling)))

    def _perform(self, action: object, place: tuple[int, str]) -> None:
        if isinstance(action, Later):
            self._later(place, action.seconds)
            return
        if isinstance(action, Remember):
            self._memories[place] = action.memory
            return
        if isinstance(action, Record):
            self._record(action)
            return
        if isinstance(action, Confirm):
            if all(self._absent(item) for item in action.absent):
                for step in action.then:
                    self._perform(step, place)
            return
        if isinstance(action, IfAllowed):
            for step in action.then if self.allowed(action.review) else action.otherwise:
                self._perform(step, place)
            return
        if error := self.refuse(action):
            raise error
        name = self._apply(action)
        if done := getattr(action, "done", None):
            self._record(done, name)

    def _absent(self, item: Absent) -> bool:
        if not item.name:
            return not self.all(item.kind, item.namespace)
        found = self.get(item.kind, item.name, item.namespace)
        return found is None or (item.uid != "" and meta.uid(found) != item.uid)

    def _apply(self, action: object) -> str:
        match action:
            case Create(kind=kind, obj=obj):
                return self._create(kind, copy.deepcopy(obj), ignore_exists=action.ignore_exists)
            case Update(kind=kind, obj=obj):
                old = self.get(kind, meta.name(obj), meta.namespace(obj))
                if old is not None:
                    new = action.complete(copy.deepcopy(obj)) if action.complete is not None else copy.deepcopy(obj)
                    self._write(kind, old, new, action.subresource)
                return meta.name(obj)
            case Patch(kind=kind, name=name, namespace=namespace):
                old = self.get(kind, name, namespace)
                if old is not None:
                    wanted = action.patch.get("metadata", {}).get("uid", meta.uid(old))
                    if wanted != meta.uid(old):
                        raise conflict(kind.plural, kind.group, name)
                    new = patch_forms.apply(action.content_type, copy.deepcopy(old), action.patch, schema_of(kind))
                    self._write(kind, old, new, action.subresource)
                return name
            case Delete():
                self._delete(action)
                return action.name
            case DeleteCollection(kind=kind, namespace=namespace):
                for obj in self.all(kind, namespace):
                    self._delete(Delete(kind, namespace, meta.name(obj)))
                return ""
        raise AssertionError(action)

    def _create(self, kind: Kind, obj: Obj, *, ignore_exists: bool) -> str:
        if "name" not in obj["metadata"]:
            self._names += 1
            obj["metadata"]["name"] = f"{obj['metadata']['generateName']}{self._names:05d}"
        name = meta.name(obj)
        if self.get(kind, name, meta.namespace(obj)) is not None:
            if ignore_exists:
                return name
            raise ApiError(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        self.writes.append(("create", kind.kind, name))
        self._store(kind, None, obj)
        return name

    def _write(self, kind: Kind, old: Obj, new: Obj, subresource: str) -> None:
        revision = new["metadata"].get("resourceVersion")
        if revision not in (None, old["metadata"]["resourceVersion"]):
            raise conflict(kind.plural, kind.group, meta.name(old))
        if subresource in ("status", "approval"):
            new = {**copy.deepcopy(old), "status": new["status"]}
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old:
            return
        self.writes.append(("status" if subresource == "status" else "write", kind.kind, meta.name(old)))
        if subresource == "finalize" and not new["spec"].get("finalizers"):
            self.remove(kind, meta.name(old), meta.namespace(old))
            return
        if meta.deleting(new) and not meta.finalizers(new) and kind.kind not in ("Pod", "Namespace"):
            self.remove(kind, meta.name(old), meta.namespace(old))
            return
        self._store(kind, old, new)

    def _delete(self, action: Delete) -> None:
        kind, old = action.kind, self.get(action.kind, action.name, action.namespace)
        if old is None:
            return
        if action.uid and action.uid != meta.uid(old):
            raise conflict(kind.plural, kind.group, action.name)
        self.writes.append(("delete", kind.kind, action.name))
        new = copy.deepcopy(old)
        kept = [item for item in meta.finalizers(old) if item not in ("orphan", "foregroundDeletion")]
        added = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(action.propagation, [])
        new["metadata"]["finalizers"] = kept + added
        graceful = self.graceful and kind is kinds.POD and action.grace_seconds != 0 and meta.pod_node(old)
        if not new["metadata"]["finalizers"] and not graceful and kind is not kinds.NAMESPACE:
            self.remove(kind, action.name, action.namespace)
            return
        new["metadata"].setdefault("deletionTimestamp", rfc3339(self.now + (30 if graceful else 0)))
        self._store(kind, old, new)

    def _store(self, kind: Kind, old: Obj | None, new: Obj) -> Obj:
        self._revision += 1
        metadata = new["metadata"]
        metadata["resourceVersion"] = str(self._revision)
        metadata.setdefault("creationTimestamp", rfc3339(self.now))
        if old is None:
            metadata.setdefault("uid", f"uid-{self._revision}")
            metadata["generation"] = 1
        else:
            metadata["uid"] = meta.uid(old)
            metadata["generation"] = meta.generation(old) + (old.get("spec") != new.get("spec"))
        self._indexes[kind.group, kind.kind].put(new)
        self._changed(kind, old, new)
        return new

    def _changed(self, kind: Kind, old: Obj | None, new: Obj | None) -> None:
        if new is None:
            self._deleted.add(meta.uid(old or {}))
        world = CacheWorld(self._indexes, self.now, "")
        for number, loop in enumerate(self._loops):
            for watch in loop.watching(world.catalogue):
                if (watch.kind.group, watch.kind.kind) != (kind.group, kind.kind):
                    continue
                own = [meta.key(new if new is not None else old or {})]
                for key in watch.keys(old, new, world) if watch.keys is not None else own:
                    self._queue[number, key] = None


def kind_of(obj: Obj) -> Kind:
    found = Catalogue.builtin().by_kind(obj["kind"], obj["apiVersion"])
    assert found is not None
    return found


# Objects, as the API would have completed them.


def template(app: str = "web", image: str = "one", **spec: Any) -> Obj:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "main", "image": image}], **spec}}


def deployment(name: str = "web", replicas: int = 3, **spec: Any) -> Obj:
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    full = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": template(name),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        **spec,
    }
    return obj("apps/v1", "Deployment", name, spec=full)


def replica_set(name: str = "web", replicas: int = 3, **spec: Any) -> Obj:
    full = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": template(name),
        **spec,
    }
    return obj("apps/v1", "ReplicaSet", name, spec=full)


def pod(name: str, *, app: str = "web", node: str = "", ready: bool = False, **fields: Any) -> Obj:
    spec: Obj = {"containers": [{"name": "main", "image": "one"}], **fields.pop("spec", {})}
    if node:
        spec["nodeName"] = node
    metadata = {"labels": {"app": app}, **fields.pop("metadata", {})}
    made = obj("v1", "Pod", name, spec=spec, metadata=metadata, status={"phase": "Pending", **fields})
    return run(made, NOW) if ready else made


def run(pod: Obj, now: float, *, ready: bool = True, address: str = "") -> Obj:
    """The Pod as its node agent reports it: running, and ready or not; changed in place."""
    status = pod.setdefault("status", {})
    status["phase"] = "Running"
    status.setdefault("podIP", address or f"10.1.0.{sum(pod['metadata']['name'].encode()) % 250 + 1}")
    old = meta.find_condition(status.get("conditions") or [], "Ready")
    wanted = "True" if ready else "False"
    if old is None or old["status"] != wanted:
        status["conditions"] = [{"type": "Ready", "status": wanted, "lastTransitionTime": rfc3339(now)}]
    return pod


def node(name: str, *, ready: str = "True", zone: str = "", **spec: Any) -> Obj:
    labels = {"kubernetes.io/hostname": name}
    if zone:
        labels["topology.kubernetes.io/zone"] = zone
    conditions = [
        {"type": kind, "status": status, "lastHeartbeatTime": rfc3339(NOW), "lastTransitionTime": rfc3339(NOW)}
        for kind, status in (
            ("MemoryPressure", "False"),
            ("DiskPressure", "False"),
            ("PIDPressure", "False"),
            ("Ready", ready),
        )
    ]
    made = obj("v1", "Node", name, namespace="", spec=spec, metadata={"labels": labels})
    return made | {"status": {"conditions": conditions}}


def service(name: str = "web", **spec: Any) -> Obj:
    full = {
        "selector": {"app": name},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
        "type": "ClusterIP",
        "clusterIP": "10.96.0.10",
        "ipFamilies": ["IPv4"],
        **spec,
    }
    return obj("v1", "Service", name, spec=full)


def obj(api_version: str, kind: str, name: str, *, namespace: str = "default", **fields: Any) -> Obj:
    metadata = {"name": name, **fields.pop("metadata", {})}
    if namespace:
        metadata.setdefault("namespace", namespace)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def owner(of: Obj, *, controller: bool = True, block: bool = True) -> Obj:
    """An owner reference to `of`."""
    reference = {"apiVersion": of["apiVersion"], "kind": of["kind"], "name": meta.name(of), "uid": meta.uid(of)}
    return reference | {"controller": controller, "blockOwnerDeletion": block}
