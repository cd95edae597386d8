"""A leader that was suspended beyond its lease writes nothing when it continues: neither what waits nor what it
repeats."""

import asyncio

import orjson
import pytest

from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, tasks, virtual
from homeostat.loop.contract import Create, Loop, Record, Watch
from homeostat.loop.election import LEASE, Election, NotLeading
from homeostat.loop.manager import Manager
from homeostat.wire.cause import decode
from homeostat.wire.message import User

PODS = 40


class Leader:
    """A controller manager of one loop that makes `PODS` pods; suspended for `seconds` in the middle of that."""

    def __init__(self, api, pod, replicaset, *, seconds=22.0, losing_answer=False):
        self.api, self.seconds, self.losing_answer = api, seconds, losing_answer
        # The resources that were written to before and after.
        self.suspended, self.early, self.late = False, [], []
        self.election = Election(api.client([self.handle, self.handle]), name="cm", identity="a_1")

        def decide(key, world):
            body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-", "namespace": "default"}}
            made = Record(world.get(replicaset, "default", "s"), "Made", "{name}")
            return [Create(pod, body, done=made)] * PODS

        loop = Loop("pods", (Watch(replicaset), Watch(pod, keys=lambda old, new, world: ())), decide)
        self.manager = Manager(self.election.writer(), [loop], "test")

    async def handle(self, request):
        if request.method != "GET":
            (self.late if self.suspended else self.early).append(request.path.rsplit("/", 1)[-1])
        response = await self.api.handle(request)
        if (
            not self.suspended
            and request.method == "POST"
            and request.path.endswith("/pods")
            and self.made() >= PODS // 2
        ):
            self.suspended = True
            asyncio.get_running_loop().suspend(self.seconds)
            if self.seconds > 15:
                # Meanwhile another took the lease.
                spec = self.api.objects[("leases", "kube-system", "cm")]["spec"] | {"holderIdentity": "b_1"}
                self.api.put(LEASE, "cm", "kube-system", spec=spec)
            if self.losing_answer:
                raise ConnectionResetError
        return response

    def made(self):
        return sum(1 for method, path in self.api.journal if method == "POST" and path.endswith("/pods"))

    async def lead(self):
        async def started():
            await self.manager.start()
            await asyncio.Event().wait()

        await self.election.run(started, self.manager.stop_loops)


def story(leader, seconds=30.0):
    async def main():
        running = tasks.spawn(leader.lead(), name="leader")
        await clock.sleep(seconds)
        await tasks.stop(running)
        await leader.manager.stop()

    virtual.run(main, seed=1)


@pytest.mark.parametrize("losing_answer", [False, True])
def test_a_leader_suspended_beyond_its_lease_writes_nothing_when_it_continues(api, pod, replicaset, losing_answer):
    api.put(replicaset, "s", spec={})
    leader = Leader(api, pod, replicaset, losing_answer=losing_answer)
    story(leader)
    assert leader.suspended
    assert leader.early.count("pods") < PODS
    assert set(leader.late) <= {"cm"}


def test_a_leader_suspended_for_less_than_its_renewal_deadline_goes_on(api, pod, replicaset):
    api.put(replicaset, "s", spec={})
    leader = Leader(api, pod, replicaset, seconds=5.0)
    story(leader)
    assert leader.suspended
    assert leader.made() == PODS


def test_writes_of_a_leader_say_which_instance_made_them(api, pod, replicaset):
    api.put(replicaset, "s", spec={})
    leader = Leader(api, pod, replicaset, seconds=0.0)
    story(leader)
    instances = {cause.instance for text in api.causes if (cause := decode(text)) and cause.loop == "test/pods"}
    assert instances == {"a_1"}


def test_only_who_leads_may_write(api, pod):
    async def main():
        requests = []

        async def handle(request):
            requests.append(request)
            return await api.handle(request)

        client = ApiClient(InProcessTransport([handle], User("me")))
        election = Election(client, name="cm", identity="a_1")
        body = orjson.loads(b'{"metadata":{"name":"p","namespace":"default"}}')
        with pytest.raises(NotLeading, match="a_1 does not lead cm"):
            await election.writer().create(pod, body)
        assert not requests
        assert (await election.writer().list(pod)).items == []

    virtual.run(main, seed=1)
