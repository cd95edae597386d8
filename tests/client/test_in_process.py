"""With several API servers in process, a dead one is passed over, and only what is safe is sent twice."""

import asyncio

import pytest

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import JSON_PATCH, MERGE_PATCH, Unreachable
from homeostat.client.in_process import InProcessTransport
from homeostat.wire.message import Response, User

POD = Kind("", "v1", "Pod", "pods", "pod", namespaced=True)


class Server:
    """Answers, or fails as configured; counts."""

    def __init__(self, failure=None):
        self.failure, self.count = failure, 0

    async def handle(self, request):
        self.count += 1
        if isinstance(self.failure, ConnectionError):
            raise self.failure
        return self.failure or Response(200, b"{}")


def client_of(*servers):
    return ApiClient(InProcessTransport([server.handle for server in servers], User("me")))


def obj(**metadata):
    return {"metadata": {"namespace": "ns", **metadata}}


def unavailable():
    return Response(503, b'{"kind":"Status","code":503,"reason":"ServiceUnavailable","message":"later"}')


def test_it_stays_with_the_server_that_works():
    async def main():
        dead, alive, third = Server(ConnectionRefusedError()), Server(), Server()
        client = client_of(dead, alive, third)
        for _ in range(3):
            await client.get(POD, "p")
        assert (dead.count, alive.count, third.count) == (1, 3, 0)

    asyncio.run(main())


WRITES = {
    "get": (True, lambda client: client.get(POD, "p")),
    "update": (True, lambda client: client.update(POD, obj(name="p"))),
    "merge patch": (True, lambda client: client.patch(POD, "p", "ns", {}, content_type=MERGE_PATCH)),
    "json patch": (False, lambda client: client.patch(POD, "p", "ns", [], content_type=JSON_PATCH)),
    "delete by uid": (True, lambda client: client.delete(POD, "p", options={"preconditions": {"uid": "u"}})),
    "delete by name": (False, lambda client: client.delete(POD, "p")),
    "delete a collection": (False, lambda client: client.delete_collection(POD, "ns")),
    "create by name": (True, lambda client: client.create(POD, obj(name="p"))),
    "create by generated name": (False, lambda client: client.create(POD, obj(generateName="p-"))),
    "bind": (True, lambda client: client.create(POD, obj(name="p"), subresource="binding")),
    "evict": (False, lambda client: client.create(POD, obj(name="p"), subresource="eviction")),
}


@pytest.mark.parametrize("what", WRITES)
def test_after_a_broken_connection_only_what_is_safe_goes_to_the_next_server(what):
    repeatable, send = WRITES[what]

    async def main():
        broken, alive = Server(ConnectionResetError("cut")), Server()
        client = client_of(broken, alive)
        if repeatable:
            await send(client)
        else:
            with pytest.raises(Unreachable, match="cut"):
                await send(client)
        assert alive.count == repeatable
        await send(client)  # and the next request is sent to the one that is up
        assert broken.count == 1

    asyncio.run(main())


@pytest.mark.parametrize("what", WRITES)
def test_a_refused_connection_did_nothing_so_everything_goes_to_the_next_server(what):
    async def main():
        alive = Server()
        await WRITES[what][1](client_of(Server(ConnectionRefusedError()), alive))
        assert alive.count == 1

    asyncio.run(main())


def test_a_server_that_is_not_available_is_passed_over_for_reads():
    async def main():
        away, alive = Server(unavailable()), Server()
        await client_of(away, alive).get(POD, "p")
        with pytest.raises(ApiError, match="later"):
            await client_of(away, away).get(POD, "p")
        with pytest.raises(ApiError, match="later"):
            await client_of(away, alive).delete(POD, "p")
        assert alive.count == 1

    asyncio.run(main())


def test_no_server_at_all_is_unreachable_and_so_is_a_closed_client():
    async def main():
        client = client_of(Server(ConnectionRefusedError()), Server(ConnectionRefusedError()))
        with pytest.raises(Unreachable, match="none of 2 API servers"):
            await client.get(POD, "p")
        client = client_of(Server())
        await client.close()
        with pytest.raises(Unreachable, match="closed"):
            await client.get(POD, "p")
        with pytest.raises(ValueError, match="at least one"):
            InProcessTransport([], User("me"))

    asyncio.run(main())


def test_an_api_error_is_an_answer():
    async def main():
        away = Server(Response(404, b'{"kind":"Status","code":404,"reason":"NotFound","message":"no"}'))
        other = Server()
        with pytest.raises(ApiError):
            await client_of(away, other).get(POD, "p")
        assert other.count == 0
        assert errors.not_found("pods", "", "p").code == 404

    asyncio.run(main())
