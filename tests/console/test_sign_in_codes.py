"""Sign-in codes: each is good once, whichever replica of the Console is asked, and whatever else somebody tries."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import orjson
import pytest

from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.errors import ApiError
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Unreachable
from homeostat.client.in_process import InProcessTransport
from homeostat.client.transport import Fence
from homeostat.cluster.topology import Cluster
from homeostat.console.sessions.bootstrap_codes import BootstrapCodes
from homeostat.console.sessions.single_code import SingleCode
from homeostat.console.settings import Grant
from homeostat.kit import clock, virtual
from homeostat.operate import addons, console_access
from homeostat.store.memory import MemoryState
from homeostat.wire.message import Request, Response
from tests.support import api_edge

CLUSTER = Cluster("demo", 0, console_port=9000)


class Bare:
    """A transport to one API server that vouches for nobody: a request has the credentials in its headers."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.asked: list[str] = []
        self.before: Callable[[Request], Awaitable[None]] | None = None

    async def send(self, request: Request, *, repeatable: bool, fence: Fence | None = None) -> Response:
        self.asked.append(f"{request.method} {request.path}")
        if self.before is not None:
            await self.before(request)
        return await self.server.handle(request)

    async def close(self) -> None:
        """Nothing is open."""


def story(test: Callable[[list[Bare], ApiClient], Awaitable[None]]) -> None:
    """Two API servers on one store, each with a replica of the Console; and an administrator."""

    async def main() -> None:
        state = MemoryState()
        servers = [await api_edge.start(state, api_edge.config()) for _ in range(2)]
        await clock.sleep(0.5)
        client = ApiClient(InProcessTransport([server.handle for server in servers], api_edge.ADMIN))
        await addons.ensure(client, addons.sign_in_objects())
        await test([Bare(server) for server in servers], client)
        for server in servers:
            await server.stop()

    virtual.run(main, seed=1)


async def new_code(client: ApiClient) -> str:
    return (await console_access.link(client, CLUSTER)).partition("#code=")[2]


async def who_is(transport: Bare, grant: Grant) -> str:
    headers = {"authorization": f"Bearer {grant.token}"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await transport.send(Request("POST", path, {}, headers, b"{}"), repeatable=True)
    assert isinstance(answer.body, bytes)
    return str(orjson.loads(answer.body)["status"]["userInfo"]["username"])


async def refusal(codes: BootstrapCodes | SingleCode, code: str) -> ApiError:
    with pytest.raises(ApiError) as raised:
        await codes.exchange(code)
    assert raised.value.code == 401
    return raised.value


def test_a_code_gives_a_token_of_the_consoles_account_and_is_used_then() -> None:
    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        codes = BootstrapCodes(transports[0])
        code = await new_code(client)
        assert (
            await who_is(transports[0], await codes.exchange(code)) == "system:serviceaccount:kube-system:console-user"
        )
        said = await refusal(codes, code)
        assert re.search("used already.*`homeostat console` prints a new link", said.message)
        assert (await refusal(BootstrapCodes(transports[1]), code)).message == said.message

    story(scenario)


@pytest.mark.parametrize("code", ["", "code", "abcdef.0123456789abcdef", "ABCDEF.0123456789ABCDEF", "a" * 5000, "é"])
def test_a_code_that_was_never_made_is_refused(code: str) -> None:
    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        await refusal(BootstrapCodes(transports[0]), code)

    story(scenario)


def test_what_has_not_the_form_of_a_code_is_never_sent_to_the_cluster() -> None:
    """It would be taken for a bearer token: a person's own, perhaps, pasted into the wrong field."""

    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        await refusal(BootstrapCodes(transports[0]), "eyJhbGciOiJFUzI1NiJ9.e30.c2ln")
        assert transports[0].asked == []

    story(scenario)


def test_a_code_with_another_secret_is_refused_and_stays_good_for_its_owner() -> None:
    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        code = await new_code(client)
        codes = BootstrapCodes(transports[0])
        await refusal(codes, f"{code[:7]}{'0' * 16}")
        await codes.exchange(code)

    story(scenario)


def test_a_code_ends_after_ten_minutes() -> None:
    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        code = await new_code(client)
        await clock.sleep(console_access.CODE_SECONDS + 1)
        await refusal(BootstrapCodes(transports[0]), code)

    story(scenario)


def test_a_token_made_for_joining_signs_nobody_in() -> None:
    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        from homeostat.api.kinds import SECRET

        token = "abcdef.0123456789abcdef"
        await client.create(SECRET, bootstrap_tokens.secret_of(token, expires=None))
        said = await refusal(BootstrapCodes(transports[0]), token)
        assert "does not let a code sign in" in said.message

    story(scenario)


@pytest.mark.parametrize("together", ["POST", "GET", "DELETE"])
def test_of_two_replicas_that_exchange_one_code_at_once_one_signs_in(together: str) -> None:
    """Wherever both of them have got to: each waits for the other before its request of this kind."""

    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        code = await new_code(client)
        waiting: list[str] = []
        both = asyncio.Event()

        async def meet(request: Request) -> None:
            if request.method == together:
                waiting.append(request.path)
                if len(waiting) == len(transports):
                    both.set()
                await both.wait()

        for transport in transports:
            transport.before = meet
        tries = (BootstrapCodes(transport).exchange(code) for transport in transports)
        results = await asyncio.gather(*tries, return_exceptions=True)
        signed_in = [each for each in results if isinstance(each, Grant)]
        late = [each for each in results if isinstance(each, ApiError)]
        assert (len(signed_in), [each.code for each in late]) == (1, [401])

    story(scenario)


def test_a_code_whose_secret_was_made_anew_meanwhile_is_not_used_up_for_the_new_owner() -> None:
    """The Secret is deleted by its UID, not by its name."""

    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        from homeostat.api.kinds import SECRET

        code = await new_code(client)
        name = f"bootstrap-token-{code[:6]}"

        async def replace(request: Request) -> None:
            if request.method == "DELETE":
                await client.delete(SECRET, name, "kube-system")
                await client.create(SECRET, bootstrap_tokens.secret_of(f"{code[:7]}{'x' * 16}", expires=None))

        transports[0].before = replace
        await refusal(BootstrapCodes(transports[0]), code)
        assert (await client.get(SECRET, name, "kube-system"))["data"]["token-secret"]

    story(scenario)


def test_a_cluster_that_does_not_answer_is_not_the_codes_fault() -> None:
    async def scenario(transports: list[Bare], client: ApiClient) -> None:
        class Down(Bare):
            async def send(self, request: Request, *, repeatable: bool, fence: Fence | None = None) -> Response:
                return Response(500, b"{}")

        with pytest.raises(Unreachable, match="try again"):
            await BootstrapCodes(Down(transports[0].server)).exchange(await new_code(client))

    story(scenario)


def test_the_code_of_a_console_for_a_kubeconfig_is_good_once() -> None:
    async def scenario() -> None:
        codes = SingleCode("abc")
        await refusal(codes, "abd")
        await refusal(codes, "é")
        assert await codes.exchange("abc") == Grant()
        await refusal(codes, "abc")

    asyncio.run(scenario())
