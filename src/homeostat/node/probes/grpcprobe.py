"""Asking a container for its health over gRPC: `grpc.health.v1.Health/Check`. Messages are those of pkg/probe/grpc."""

from __future__ import annotations

import asyncio

import grpc.aio

from homeostat.node.probes import health_pb2
from homeostat.runtime.contract import ProbeError

_METHOD = "/grpc.health.v1.Health/Check"
_AGENT = "kube-probe/1.36"


async def check(address: str, service: str, *, timeout_seconds: float) -> None:
    """Return when `service` (empty: the server as a whole) is serving. Raises ProbeError."""
    options = (("grpc.primary_user_agent", _AGENT), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        call = channel.unary_unary(
            _METHOD,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                answer = await call(health_pb2.HealthCheckRequest(service=service), wait_for_ready=False)
        except TimeoutError as error:
            raise ProbeError(f"timeout: health rpc did not complete within {timeout_seconds:g}s") from error
        except grpc.aio.AioRpcError as error:
            raise ProbeError(_failure_text(error, address, timeout_seconds)) from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        word = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        raise ProbeError(f'service unhealthy (responded with "{word}")')


def _failure_text(error: grpc.aio.AioRpcError, address: str, timeout_seconds: float) -> str:
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f'timeout: failed to connect service "{address}" within {timeout_seconds:g}s: {details}'
    return f"error: health rpc probe failed: {details}"
