"""The loops that work on all kinds follow discovery: a kind that appears is collected and emptied within a second."""

from __future__ import annotations

from homeostat.api.catalogue import Catalogue
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import CONFIGMAP, CRD, NAMESPACE
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import build_edge
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.controllers.registry import all_loops
from homeostat.kit import clock, virtual
from homeostat.loop.manager import Manager
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User
from tests.support.api_edge import config
from tests.support.crontabs import CATALOGUE, GROUP, crontab

ADMIN = User("admin", ("system:masters", "system:authenticated"))
CONTROLLER = User("system:kube-controller-manager", ("system:authenticated",))
CRONTAB = CATALOGUE.by_kind("CronTab")
ABOUT = {
    "metadata": {"name": f"crontabs.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "crontabs", "kind": "CronTab"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


class Cluster:
    """An API server with a controller manager, from before the kind is there."""

    def __init__(self):
        self.store = MemoryStore(MemoryState())
        self.server = ApiServer(self.store, parts=build_edge(config()))
        self.client = ApiClient(InProcessTransport([self.server.handle], ADMIN))
        own = ApiClient(InProcessTransport([self.server.handle], CONTROLLER))
        self.manager = Manager(own, all_loops(Settings()), "controller-manager")

    async def start(self):
        await self.store.start()
        await self.server.start()
        await clock.sleep(1)
        await self.manager.start()
        await clock.sleep(5)

    async def define(self):
        """The definition is written, and the server serves the kind a moment later."""
        await self.client.create(CRD, ABOUT)
        await clock.sleep(0.3)
        self.server.serve(CATALOGUE)

    async def make(self, kind, obj):
        return await self.client.create(kind, {**obj, "metadata": {"namespace": "default", **obj["metadata"]}})

    async def left(self, kind, namespace="default"):
        return [item["metadata"]["name"] for item in (await self.client.list(kind, namespace)).items]

    async def stop(self):
        await self.manager.stop()
        await self.server.stop()


def story(test):
    async def main():
        one, other = Cluster(), Cluster()
        await one.start()
        await other.start()
        await test(one, other)
        await one.stop()
        await other.stop()

    virtual.run(main, seed=1)


def owned_by(owner):
    reference = {name: owner[name] for name in ("apiVersion", "kind")}
    metadata = owner["metadata"]
    return [{**reference, "name": metadata["name"], "uid": metadata["uid"], "controller": True}]


def test_objects_of_a_new_kind_are_collected_and_collect_others_within_a_second():
    async def scenario(one, other):
        await one.define()
        owner = await one.make(CRONTAB, crontab("owner"))
        await one.make(CONFIGMAP, {"metadata": {"name": "owned", "ownerReferences": owned_by(owner)}})
        root = await one.make(CONFIGMAP, {"metadata": {"name": "root"}})
        root |= {"apiVersion": "v1", "kind": "ConfigMap"}
        await one.make(CRONTAB, crontab("leaf", metadata={"ownerReferences": owned_by(root)}))
        await clock.sleep(1)
        assert "owned" in await one.left(CONFIGMAP)
        await one.client.delete(CRONTAB, "owner", "default")
        await one.client.delete(CONFIGMAP, "root", "default")
        await clock.sleep(1)
        assert await one.left(CRONTAB) == []
        assert "owned" not in await one.left(CONFIGMAP)
        assert not any(informer.kind.custom for informer in other.manager.informers.values())

    story(scenario)


def test_an_owner_that_was_gone_before_its_kind_was_known_is_missed_then():
    async def scenario(one, _):
        gone = crontab("gone") | {"metadata": {"name": "gone", "uid": "never-there"}}
        await one.make(CONFIGMAP, {"metadata": {"name": "orphan", "ownerReferences": owned_by(gone)}})
        await clock.sleep(2)
        assert "orphan" in await one.left(CONFIGMAP)
        await one.define()
        await clock.sleep(1)
        assert "orphan" not in await one.left(CONFIGMAP)

    story(scenario)


def test_a_kind_without_strategic_patches_lets_go_of_one_owner_of_two():
    async def scenario(one, _):
        await one.define()
        first, second = [await one.make(CRONTAB, crontab(name)) for name in ("first", "second")]
        both = [{**owned_by(owner)[0], "controller": False} for owner in (first, second)]
        await one.make(CRONTAB, crontab("leaf", metadata={"ownerReferences": both}))
        await clock.sleep(1)
        await one.client.delete(CRONTAB, "first", "default")
        await clock.sleep(1)
        leaf = await one.client.get(CRONTAB, "leaf", "default")
        assert [each["name"] for each in leaf["metadata"]["ownerReferences"]] == ["second"]

    story(scenario)


def test_a_namespace_goes_with_what_it_holds_of_a_new_kind():
    async def scenario(one, _):
        await one.client.create(NAMESPACE, {"metadata": {"name": "shop"}})
        await one.define()
        await one.make(CRONTAB, crontab("a", metadata={"namespace": "shop"}))
        await clock.sleep(1)
        await one.client.delete(NAMESPACE, "shop")
        await clock.sleep(6)
        assert "shop" not in await one.left(NAMESPACE, "")
        assert await one.left(CRONTAB, "shop") == []

    story(scenario)


def test_a_kind_that_goes_takes_its_cache_with_it():
    async def scenario(one, _):
        await one.define()
        await clock.sleep(1)
        assert any(informer.kind.custom for informer in one.manager.informers.values())
        await one.client.delete(CRD, f"crontabs.{GROUP}")
        one.server.serve(Catalogue.builtin())
        await clock.sleep(1)
        assert not any(informer.kind.custom for informer in one.manager.informers.values())

    story(scenario)


def test_a_leader_that_leads_again_follows_what_is_served_then():
    async def scenario(one, _):
        await one.define()
        await clock.sleep(1)
        await one.manager.stop_loops()
        one.server.serve(Catalogue.builtin())
        await one.manager.start()
        await clock.sleep(5)
        assert not any(informer.kind.custom for informer in one.manager.informers.values())

    story(scenario)
