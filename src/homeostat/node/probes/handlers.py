"""Performing the handlers of probes and lifecycle hooks: exec, httpGet, tcpSocket, grpc, sleep."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from homeostat.api.rules.ports import container_port
from homeostat.api.types import Obj
from homeostat.kit import clock
from homeostat.runtime.contract import HttpAsk, ProbeError, Runtime, RuntimeFault


@dataclass(frozen=True, slots=True)
class Target:
    """The container a handler is for, and where its pod is."""

    container: Obj
    container_id: str
    pod_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whether a handler succeeded, and what it said."""

    ok: bool
    message: str = ""


async def probe(runtime: Runtime, handler: Obj, target: Target, timeout_seconds: float) -> Outcome:
    """Run a probe once. The messages are the kubelet's."""
    try:
        if handler.get("exec") is not None:
            return await _exec(runtime, handler["exec"], target, timeout_seconds)
        if handler.get("httpGet") is not None:
            answer = await runtime.http_get(http_ask(handler["httpGet"], target, timeout_seconds))
            ok = 200 <= answer.status < 400
            return Outcome(ok=ok, message="" if ok else f"HTTP probe failed with statuscode: {answer.status}")
        if handler.get("tcpSocket") is not None:
            socket = handler["tcpSocket"]
            await runtime.tcp_connect(
                socket.get("host") or target.pod_ip, _port(socket, target), timeout_seconds=timeout_seconds
            )
            return Outcome(ok=True)
        if handler.get("grpc") is not None:
            await _grpc(runtime, handler["grpc"], target, timeout_seconds)
            return Outcome(ok=True)
    except (ProbeError, RuntimeFault) as error:
        return Outcome(ok=False, message=str(error))
    return Outcome(ok=False, message=f"probes of type {_type(handler)} are not supported by this node")


async def hook(runtime: Runtime, handler: Obj, target: Target, timeout_seconds: float = 0) -> Outcome:
    """Run a lifecycle hook to its end, at most `timeout_seconds` (0: without a limit)."""
    try:
        async with asyncio.timeout(timeout_seconds or None):
            if handler.get("sleep") is not None:
                await clock.sleep(float(handler["sleep"].get("seconds") or 0))
                return Outcome(ok=True)
            if handler.get("exec") is not None:
                return await _exec(runtime, handler["exec"], target, timeout_seconds)
            if handler.get("httpGet") is not None:
                ask = http_ask(handler["httpGet"], target, timeout_seconds or 30.0)
                answer = await runtime.http_get(ask)
                ok = answer.status < 400
                return Outcome(ok=ok, message="" if ok else f"HTTP hook failed with status code: {answer.status}")
    except TimeoutError:
        return Outcome(ok=False, message="the hook did not end in its time")
    except (ProbeError, RuntimeFault) as error:
        return Outcome(ok=False, message=str(error))
    return Outcome(ok=False, message=f"lifecycle hooks of type {_type(handler)} are not supported by this node")


def http_ask(action: Obj, target: Target, timeout_seconds: float) -> HttpAsk:
    """The request of an HTTPGetAction. Raises ProbeError when its port has no number."""
    headers = tuple((header["name"], header["value"]) for header in action.get("httpHeaders") or [])
    host = next((value for name, value in headers if name.lower() == "host"), "")
    path = action.get("path") or "/"
    return HttpAsk(
        ip=action.get("host") or target.pod_ip,
        port=_port(action, target),
        path=path if path.startswith("/") else f"/{path}",
        scheme=(action.get("scheme") or "HTTP").upper(),
        host=host,
        headers=headers,
        timeout_seconds=timeout_seconds,
    )


async def _exec(runtime: Runtime, action: Obj, target: Target, timeout_seconds: float) -> Outcome:
    argv = tuple(action.get("command") or ())
    result = await runtime.exec_sync(target.container_id, argv, timeout_seconds=timeout_seconds)
    if result.timed_out:
        return Outcome(ok=False, message=f'command timed out: "{" ".join(argv)}" timed out after {timeout_seconds:g}s')
    return Outcome(ok=result.exit_code == 0, message=result.output.decode("utf-8", "replace"))


async def _grpc(runtime: Runtime, action: Obj, target: Target, timeout_seconds: float) -> None:
    """Raises ProbeError."""
    port = int(action["port"])
    if not runtime.real:
        await runtime.tcp_connect(target.pod_ip, port, timeout_seconds=timeout_seconds)
        return
    # The library is large: only nodes with such a probe load it.
    from homeostat.node.probes import grpcprobe

    await grpcprobe.check(f"{target.pod_ip}:{port}", action.get("service") or "", timeout_seconds=timeout_seconds)


def _port(action: Obj, target: Target) -> int:
    number = container_port(target.container, action.get("port") or "")
    if number is None:
        raise ProbeError(f"couldn't find port: {action.get('port')!r} in container {target.container['name']}")
    return number


def _type(handler: Obj) -> str:
    known = ("exec", "httpGet", "tcpSocket", "sleep", "grpc")
    return next((name for name in known if handler.get(name) is not None), "unknown")
