"""gRPC probes against a real server: `grpc.health.v1`, and the words of what is wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import grpc
import pytest

from homeostat.node.probes import grpcprobe, health_pb2
from homeostat.runtime.contract import ProbeError

Status = health_pb2.HealthCheckResponse
STATES = {"": Status.SERVING, "db": Status.NOT_SERVING}


async def answer(request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext) -> Status:
    if request.service == "slow":
        await asyncio.sleep(10)
    if request.service not in STATES:
        await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return Status(status=STATES[request.service])


def with_server(story: Callable[[str], Awaitable[None]], *, serves_health: bool = True) -> None:
    async def main() -> None:
        server = grpc.aio.server()
        if serves_health:
            method = grpc.unary_unary_rpc_method_handler(
                answer,
                request_deserializer=health_pb2.HealthCheckRequest.FromString,
                response_serializer=Status.SerializeToString,
            )
            handlers = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})
            server.add_generic_rpc_handlers((handlers,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            await story(f"127.0.0.1:{port}")
        finally:
            await server.stop(0)

    asyncio.run(main())


def test_a_server_that_serves_is_healthy() -> None:
    async def story(address: str) -> None:
        await grpcprobe.check(address, "", timeout_seconds=5)

    with_server(story)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("db", 'service unhealthy (responded with "NOT_SERVING")'),
        ("none", "error: health rpc probe failed: unknown service"),
        ("slow", "timeout: health rpc did not complete within 0.2s"),
    ],
)
def test_what_is_wrong_with_a_service(service: str, words: str) -> None:
    async def story(address: str) -> None:
        with pytest.raises(ProbeError) as raised:
            await grpcprobe.check(address, service, timeout_seconds=0.2 if service == "slow" else 5)
        assert str(raised.value) == words

    with_server(story)


def test_a_server_without_the_health_protocol_is_named() -> None:
    async def story(address: str) -> None:
        with pytest.raises(ProbeError, match="does not implement the grpc health protocol"):
            await grpcprobe.check(address, "", timeout_seconds=5)

    with_server(story, serves_health=False)


def test_a_port_where_nobody_listens() -> None:
    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        with pytest.raises(ProbeError, match=f'failed to connect service "127.0.0.1:{port}" within 5s'):
            await grpcprobe.check(f"127.0.0.1:{port}", "", timeout_seconds=5)

    asyncio.run(story())
