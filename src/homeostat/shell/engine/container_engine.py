"""The node's container engine over its socket: the CRI for most, containerd's own tasks for what the CRI lacks.

The CRI has no signals, no pause, no list of processes and no exit of a sandbox; containerd's task service has, in the
namespace where the CRI plugin keeps its containers. Calls are synchronous: a tool does one thing and ends.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from homeostat.kit import machine_clock
from homeostat.shell.tool_error import ToolError

if TYPE_CHECKING:
    from homeostat.runtime.cri import containerd_pb2 as containerd
    from homeostat.runtime.cri import cri_pb2 as cri

SOCKET = "/run/containerd/containerd.sock"
_ENDPOINT_VARIABLE = "CONTAINER_RUNTIME_ENDPOINT"  # crictl's own
_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_MESSAGE_BYTES_MAX = 64 << 20
_CALL_SECONDS = 30.0
# containerd's CRI error while it still loads its state; callers wait, as with a docker that starts.
_STARTING = "server is not initialized yet"
_READY_SECONDS, _LOOK_SECONDS = 10.0, 0.05
_RUNTIME = "/runtime.v1.RuntimeService/"
_IMAGES = "/runtime.v1.ImageService/"
_TASKS = "/containerd.services.tasks.v1.Tasks/"
PAUSED = 4


class EngineDown(ToolError):
    """Nobody listens on the engine's socket."""


class Refused(ToolError):
    """The engine said no. `missing`: it knows no such thing."""

    def __init__(self, text: str, *, missing: bool) -> None:
        super().__init__(text)
        self.missing = missing


def endpoint() -> str:
    """The engine's socket: the node's, or what the environment names."""
    return os.environ.get(_ENDPOINT_VARIABLE, SOCKET).removeprefix("unix://")


def listens(path: str) -> OSError | None:
    """None when a Unix socket accepts connections, else why not."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(path)
    except OSError as error:
        return error
    return None


class Engine:
    """The calls, each named for what it does. Raises EngineDown and Refused."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path or endpoint()
        if error := listens(self._path):  # before gRPC is loaded, which would also wait and try again
            raise EngineDown(f"{self._path}: {error.strerror}") from error
        import grpc

        from homeostat.runtime.cri import containerd_pb2, cri_pb2

        self.cri = cri_pb2
        self.containerd = containerd_pb2
        self._error = grpc.RpcError
        self._missing = grpc.StatusCode.NOT_FOUND
        self._down = grpc.StatusCode.UNAVAILABLE
        limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX), ("grpc.enable_http_proxy", 0)]
        # gRPC refuses the socket's path as an authority.
        self._channel = grpc.insecure_channel(
            f"unix:{self._path}", options=[*limits, ("grpc.default_authority", "localhost")]
        )

    def call(self, method: str, request: Any, answer: Any, *, seconds: float | None = _CALL_SECONDS) -> Any:
        """One call; `answer` is the message it gives. `seconds` None waits for ever."""
        ask = self._channel.unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        ready_by = machine_clock.monotonic() + _READY_SECONDS
        while True:
            try:
                return ask(request, timeout=seconds, metadata=_NAMESPACE)
            except self._error as error:
                code, text = error.code(), error.details() or ""
                if _STARTING in text and machine_clock.monotonic() < ready_by:
                    machine_clock.pause(_LOOK_SECONDS)
                    continue
                if code == self._down:
                    raise EngineDown(text) from error
                raise Refused(_plain(text), missing=code == self._missing) from error

    # The CRI.

    def pods(self) -> list[cri.PodSandbox]:
        """All sandboxes."""
        found: cri.ListPodSandboxResponse = self.call(
            _RUNTIME + "ListPodSandbox", self.cri.ListPodSandboxRequest(), self.cri.ListPodSandboxResponse
        )
        return list(found.items)

    def containers(self) -> list[cri.Container]:
        """All containers."""
        found: cri.ListContainersResponse = self.call(
            _RUNTIME + "ListContainers", self.cri.ListContainersRequest(), self.cri.ListContainersResponse
        )
        return list(found.containers)

    def pod_status(self, pod: str) -> cri.PodSandboxStatusResponse:
        """One sandbox in detail."""
        request = self.cri.PodSandboxStatusRequest(pod_sandbox_id=pod, verbose=True)
        answer: cri.PodSandboxStatusResponse = self.call(
            _RUNTIME + "PodSandboxStatus", request, self.cri.PodSandboxStatusResponse
        )
        return answer

    def container_status(self, container: str) -> cri.ContainerStatusResponse:
        """One container in detail."""
        request = self.cri.ContainerStatusRequest(container_id=container, verbose=True)
        answer: cri.ContainerStatusResponse = self.call(
            _RUNTIME + "ContainerStatus", request, self.cri.ContainerStatusResponse
        )
        return answer

    def start_container(self, container: str) -> None:
        """Start a container that was created."""
        self.call(
            _RUNTIME + "StartContainer",
            self.cri.StartContainerRequest(container_id=container),
            self.cri.StartContainerResponse,
        )

    def stop_container(self, container: str, *, grace_seconds: int) -> None:
        """Its stop signal, some patience, SIGKILL."""
        request = self.cri.StopContainerRequest(container_id=container, timeout=grace_seconds)
        self.call(
            _RUNTIME + "StopContainer", request, self.cri.StopContainerResponse, seconds=grace_seconds + _CALL_SECONDS
        )

    def remove_container(self, container: str) -> None:
        """Forget a container; the engine kills one that runs."""
        self.call(
            _RUNTIME + "RemoveContainer",
            self.cri.RemoveContainerRequest(container_id=container),
            self.cri.RemoveContainerResponse,
        )

    def stop_pod(self, pod: str) -> None:
        """End everything in a sandbox and its network."""
        self.call(
            _RUNTIME + "StopPodSandbox",
            self.cri.StopPodSandboxRequest(pod_sandbox_id=pod),
            self.cri.StopPodSandboxResponse,
            seconds=120,
        )

    def remove_pod(self, pod: str) -> None:
        """Forget a sandbox and its containers."""
        self.call(
            _RUNTIME + "RemovePodSandbox",
            self.cri.RemovePodSandboxRequest(pod_sandbox_id=pod),
            self.cri.RemovePodSandboxResponse,
            seconds=120,
        )

    def stats(self) -> list[cri.ContainerStats]:
        """What every running container uses."""
        found: cri.ListContainerStatsResponse = self.call(
            _RUNTIME + "ListContainerStats", self.cri.ListContainerStatsRequest(), self.cri.ListContainerStatsResponse
        )
        return list(found.stats)

    def version(self) -> cri.VersionResponse:
        """The engine's name and version."""
        answer: cri.VersionResponse = self.call(
            _RUNTIME + "Version", self.cri.VersionRequest(), self.cri.VersionResponse
        )
        return answer

    def images(self) -> list[cri.Image]:
        """All images."""
        found: cri.ListImagesResponse = self.call(
            _IMAGES + "ListImages", self.cri.ListImagesRequest(), self.cri.ListImagesResponse
        )
        return list(found.images)

    def image_status(self, image: str) -> cri.ImageStatusResponse:
        """One image in detail."""
        request = self.cri.ImageStatusRequest(image=self.cri.ImageSpec(image=image), verbose=True)
        answer: cri.ImageStatusResponse = self.call(_IMAGES + "ImageStatus", request, self.cri.ImageStatusResponse)
        return answer

    # containerd's tasks: a container's processes.

    def tasks(self) -> list[containerd.Process]:
        """The first process of every container that has one."""
        found: containerd.ListTasksResponse = self.call(
            _TASKS + "List", self.containerd.ListTasksRequest(), self.containerd.ListTasksResponse
        )
        return list(found.tasks)

    def task(self, container: str) -> containerd.Process:
        """A container's first process."""
        request = self.containerd.TaskRequest(container_id=container)
        answer: containerd.GetResponse = self.call(_TASKS + "Get", request, self.containerd.GetResponse)
        return answer.process

    def kill(self, container: str, signal_number: int, *, exec_id: str = "") -> None:
        """Send a signal to a container's first process, or to another."""
        request = self.containerd.KillRequest(container_id=container, exec_id=exec_id, signal=signal_number)
        self.call(_TASKS + "Kill", request, self.containerd.Empty)

    def wait(self, container: str, *, exec_id: str = "", seconds: float | None = None) -> int | None:
        """The exit code of a process once it has ended; None when `seconds` are over."""
        request = self.containerd.TaskRequest(container_id=container, exec_id=exec_id)
        try:
            answer: containerd.WaitResponse = self.call(
                _TASKS + "Wait", request, self.containerd.WaitResponse, seconds=seconds
            )
        except Refused as refused:
            if not refused.missing and "exceeded" not in refused.text.lower():
                raise
            return None
        return answer.exit_status

    def pause(self, container: str) -> None:
        """Freeze a container."""
        self.call(_TASKS + "Pause", self.containerd.TaskRequest(container_id=container), self.containerd.Empty)

    def unpause(self, container: str) -> None:
        """Let it run on."""
        self.call(_TASKS + "Resume", self.containerd.TaskRequest(container_id=container), self.containerd.Empty)

    def pids(self, container: str) -> list[int]:
        """The process IDs in a container, as the node counts them."""
        request = self.containerd.TaskRequest(container_id=container)
        found: containerd.ListPidsResponse = self.call(_TASKS + "ListPids", request, self.containerd.ListPidsResponse)
        return [process.pid for process in found.processes]

    def add_process(self, request: containerd.ExecProcessRequest) -> None:
        """Prepare a further process in a container."""
        self.call(_TASKS + "Exec", request, self.containerd.Empty)

    def start_process(self, container: str, exec_id: str) -> None:
        """Run what was prepared."""
        request = self.containerd.TaskRequest(container_id=container, exec_id=exec_id)
        self.call(_TASKS + "Start", request, self.containerd.Empty)

    def resize(self, container: str, exec_id: str, size: os.terminal_size) -> None:
        """Set the size of a process's terminal."""
        request = self.containerd.ResizePtyRequest(
            container_id=container, exec_id=exec_id, width=size.columns, height=size.lines
        )
        self.call(_TASKS + "ResizePty", request, self.containerd.Empty)

    def close_input(self, container: str, exec_id: str) -> None:
        """Signal a process that its input has ended."""
        request = self.containerd.CloseIORequest(container_id=container, exec_id=exec_id, stdin=True)
        self.call(_TASKS + "CloseIO", request, self.containerd.Empty)

    def delete_process(self, container: str, exec_id: str) -> None:
        """Forget a further process that has ended."""
        request = self.containerd.TaskRequest(container_id=container, exec_id=exec_id)
        self.call(_TASKS + "DeleteProcess", request, self.containerd.Empty)


def _plain(text: str) -> str:
    return text.removeprefix("rpc error: ").strip() or "the container engine refused without a word"
