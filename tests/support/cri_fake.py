"""A CRI engine that only says what a test wants it to say: for what a real one does too seldom, or not yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message

from homeostat.kit import clock
from homeostat.runtime.cri import containerd_pb2 as containerd
from homeostat.runtime.cri import cri_pb2 as cri
from homeostat.runtime.cri import labels
from homeostat.runtime.cri.channel import IMAGES, RUNTIME

_EVENTS, _TASKS = "/containerd.services.events.v1.Events/", "/containerd.services.tasks.v1.Tasks/"


class FakeEngine:
    """One pod `web` with one container `main`, at `socket`. `speaks` says whose events it has: "cri", "containerd" or
    none. `asked` are the calls it got; `late` how many more times it reports the container's state as before."""

    def __init__(self, socket: str, *, speaks: str = "") -> None:
        self.socket = socket
        self.speaks = speaks
        self.asked: list[tuple[str, Message]] = []
        self.container = cri.ContainerStatus(
            id="c1",
            metadata=cri.ContainerMetadata(name="main"),
            state=cri.CONTAINER_RUNNING,
            created_at=1_000_000_000,
            started_at=2_000_000_000,
            image=cri.ImageSpec(image="busybox"),
            labels={labels.POD_UID: "uid-web", labels.CONTAINER_NAME: "main"},
        )
        self.before = cri.ContainerStatus()
        self.late = 0
        self.pod = cri.PodSandboxStatus(
            id="p1",
            metadata=cri.PodSandboxMetadata(name="web", uid="uid-web", namespace="default"),
            state=cri.SANDBOX_READY,
            network=cri.PodSandboxNetworkStatus(ip="10.0.0.9"),
            labels={labels.POD_UID: "uid-web", labels.POD_NAME: "web", labels.POD_NAMESPACE: "default"},
        )
        self.conditions = [cri.RuntimeCondition(type=kind, status=True) for kind in ("RuntimeReady", "NetworkReady")]
        self.refuses: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.hangs = False
        self._news: asyncio.Queue[Message] = asyncio.Queue()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> FakeEngine:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await self._server.stop(0)

    # -- what happens ----------------------------------------------------------------------------------------------

    def end(self, *, code: int = 0, late: int = 0, reason: str = "") -> None:
        """The container ends; `late` looks still find it running."""
        self.before.CopyFrom(self.container)
        self.late = late
        self.container.state = cri.CONTAINER_EXITED
        self.container.exit_code, self.container.finished_at = code, 3_000_000_000
        self.container.reason = reason or ("Error" if code else "Completed")

    def report(self, topic: str = "", payload: Message | None = None) -> None:
        """An event, in the words that it speaks."""
        if self.speaks == "cri":
            self._news.put_nowait(cri.ContainerEventResponse(container_id="c1"))
        else:
            value = (payload or containerd.TaskExit(container_id="c1", id="c1")).SerializeToString()
            self._news.put_nowait(containerd.Envelope(topic=topic, event=containerd.Any(value=value)))

    def calls(self, name: str) -> list[Message]:
        """The requests of one kind."""
        return [request for method, request in self.asked if method.rpartition("/")[2] == name]

    # -- gRPC ------------------------------------------------------------------------------------------------------

    def service(self, details: Any) -> grpc.RpcMethodHandler | None:
        """Every method that the fake knows; the rest is unimplemented."""
        method = details.method
        known: dict[str, type[Message]] = {
            RUNTIME + "Version": cri.VersionRequest,
            RUNTIME + "Status": cri.StatusRequest,
            RUNTIME + "ListPodSandbox": cri.ListPodSandboxRequest,
            RUNTIME + "PodSandboxStatus": cri.PodSandboxStatusRequest,
            RUNTIME + "ListContainers": cri.ListContainersRequest,
            RUNTIME + "ContainerStatus": cri.ContainerStatusRequest,
            RUNTIME + "StopContainer": cri.StopContainerRequest,
            RUNTIME + "ExecSync": cri.ExecSyncRequest,
            IMAGES + "PullImage": cri.PullImageRequest,
        }
        if self.speaks == "containerd":
            known[_EVENTS + "Publish"] = containerd.PublishRequest
            known[_TASKS + "Kill"] = containerd.KillRequest
        streams = {"cri": RUNTIME + "GetContainerEvents", "containerd": _EVENTS + "Subscribe"}
        if method == streams.get(self.speaks):
            kind = cri.GetEventsRequest if self.speaks == "cri" else containerd.SubscribeRequest
            return grpc.unary_stream_rpc_method_handler(
                self._stream, request_deserializer=kind.FromString, response_serializer=_serialize
            )
        if method not in known:
            return None

        async def answer(request: Message, context: grpc.aio.ServicerContext) -> Message:
            self.asked.append((method, request))
            name = method.rpartition("/")[2]
            if self.hangs:
                await clock.sleep(60)
            if name in self.refuses:
                await context.abort(*self.refuses[name])
            return getattr(self, f"_{name}")(request)

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=known[method].FromString, response_serializer=_serialize
        )

    async def _stream(self, request: Message, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
        while True:
            yield await self._news.get()

    # -- answers ---------------------------------------------------------------------------------------------------

    def _Version(self, _: Message) -> Message:
        return cri.VersionResponse(runtime_name="fake", runtime_version="v9")

    def _Status(self, _: Message) -> Message:
        return cri.StatusResponse(status=cri.RuntimeStatus(conditions=self.conditions))

    def _ListPodSandbox(self, _: Message) -> Message:
        pod = self.pod
        item = cri.PodSandbox(id=pod.id, metadata=pod.metadata, state=pod.state, labels=pod.labels)
        return cri.ListPodSandboxResponse(items=[item])

    def _PodSandboxStatus(self, _: Message) -> Message:
        return cri.PodSandboxStatusResponse(status=self.pod)

    def _ListContainers(self, _: Message) -> Message:
        one = self._now()
        item = cri.Container(id=one.id, pod_sandbox_id="p1", state=one.state, labels=one.labels)
        return cri.ListContainersResponse(containers=[item])

    def _ContainerStatus(self, _: Message) -> Message:
        return cri.ContainerStatusResponse(status=self._now())

    def _now(self) -> cri.ContainerStatus:
        if self.late:
            self.late -= 1
            return self.before
        return self.container

    def _StopContainer(self, _: Message) -> Message:
        self.end(code=137)
        return cri.StopContainerResponse()

    def _ExecSync(self, _: Message) -> Message:
        return cri.ExecSyncResponse()

    def _PullImage(self, _: Message) -> Message:
        return cri.PullImageResponse(image_ref="sha256:1")

    def _Publish(self, request: Message) -> Message:
        assert isinstance(request, containerd.PublishRequest)
        self._news.put_nowait(containerd.Envelope(topic=request.topic, event=request.event))
        return containerd.Empty()

    def _Kill(self, request: Message) -> Message:
        assert isinstance(request, containerd.KillRequest)
        self.end(code=128 + request.signal)
        return containerd.Empty()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
