"""The node's container engine over its socket: the CRI for most, containerd's own tasks for what the CRI lacks.

The CRI has no signals, no pause, no list of processes and no exit of a sandbox; containerd's task service has, in the
namespace where the CRI plugin keeps its containers. Calls are synchronous: a tool does one thing and ends.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from homeostat.kit import machine
from homeostat.shell.tool_error import ToolError

if TYPE_CHECKING:
    from homeostat.shell.engine import rpc_pb2 as pb

SOCKET = "/run/containerd/containerd.sock"
_ENDPOINT_VARIABLE = "CONTAINER_RUNTIME_ENDPOINT"  # crictl's own
_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_MESSAGE_BYTES_MAX = 64 << 20
_CALL_SECONDS = 30.0
# What containerd's CRI says while it still reads what runs; who asks waits, as with a docker that starts.
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
    """None when somebody accepts at a Unix socket, else why not."""
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

        from homeostat.shell.engine import rpc_pb2

        self.pb = rpc_pb2
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
        ready_by = machine.monotonic() + _READY_SECONDS
        while True:
            try:
                return ask(request, timeout=seconds, metadata=_NAMESPACE)
            except self._error as error:
                code, text = error.code(), error.details() or ""
                if _STARTING in text and machine.monotonic() < ready_by:
                    machine.pause(_LOOK_SECONDS)
                    continue
                if code == self._down:
                    raise EngineDown(text) from error
                raise Refused(_plain(text), missing=code == self._missing) from error

    # The CRI.

    def pods(self) -> list[pb.Pod]:
        """All sandboxes."""
        found: pb.Pods = self.call(_RUNTIME + "ListPodSandbox", self.pb.Nothing(), self.pb.Pods)
        return list(found.items)

    def containers(self) -> list[pb.Container]:
        """All containers."""
        found: pb.Containers = self.call(_RUNTIME + "ListContainers", self.pb.Nothing(), self.pb.Containers)
        return list(found.containers)

    def pod_status(self, pod: str) -> pb.PodStatusAnswer:
        """One sandbox in detail."""
        request = self.pb.StatusRequest(id=pod, verbose=True)
        answer: pb.PodStatusAnswer = self.call(_RUNTIME + "PodSandboxStatus", request, self.pb.PodStatusAnswer)
        return answer

    def container_status(self, container: str) -> pb.ContainerStatusAnswer:
        """One container in detail."""
        request = self.pb.StatusRequest(id=container, verbose=True)
        answer: pb.ContainerStatusAnswer = self.call(
            _RUNTIME + "ContainerStatus", request, self.pb.ContainerStatusAnswer
        )
        return answer

    def start_container(self, container: str) -> None:
        """Start a container that was created."""
        self.call(_RUNTIME + "StartContainer", self.pb.StopRequest(id=container), self.pb.Nothing)

    def stop_container(self, container: str, *, grace_seconds: int) -> None:
        """Its stop signal, some patience, SIGKILL."""
        request = self.pb.StopRequest(id=container, timeout=grace_seconds)
        self.call(_RUNTIME + "StopContainer", request, self.pb.Nothing, seconds=grace_seconds + _CALL_SECONDS)

    def remove_container(self, container: str) -> None:
        """Forget a container; the engine kills one that runs."""
        self.call(_RUNTIME + "RemoveContainer", self.pb.StopRequest(id=container), self.pb.Nothing)

    def stop_pod(self, pod: str) -> None:
        """End everything in a sandbox and its network."""
        self.call(_RUNTIME + "StopPodSandbox", self.pb.StopRequest(id=pod), self.pb.Nothing, seconds=120)

    def remove_pod(self, pod: str) -> None:
        """Forget a sandbox and its containers."""
        self.call(_RUNTIME + "RemovePodSandbox", self.pb.StopRequest(id=pod), self.pb.Nothing, seconds=120)

    def stats(self) -> list[pb.ContainerStats]:
        """What every running container uses."""
        found: pb.AllStats = self.call(_RUNTIME + "ListContainerStats", self.pb.Nothing(), self.pb.AllStats)
        return list(found.stats)

    def version(self) -> pb.VersionAnswer:
        """The engine's name and version."""
        answer: pb.VersionAnswer = self.call(_RUNTIME + "Version", self.pb.Nothing(), self.pb.VersionAnswer)
        return answer

    def images(self) -> list[pb.Image]:
        """All images."""
        found: pb.Images = self.call(_IMAGES + "ListImages", self.pb.Nothing(), self.pb.Images)
        return list(found.images)

    def image_status(self, image: str) -> pb.ImageStatusAnswer:
        """One image in detail."""
        request = self.pb.ImageStatusRequest(image=self.pb.ImageSpec(image=image), verbose=True)
        answer: pb.ImageStatusAnswer = self.call(_IMAGES + "ImageStatus", request, self.pb.ImageStatusAnswer)
        return answer

    # containerd's tasks: a container's processes.

    def tasks(self) -> list[pb.Process]:
        """The first process of every container that has one."""
        found: pb.Processes = self.call(_TASKS + "List", self.pb.Nothing(), self.pb.Processes)
        return list(found.tasks)

    def task(self, container: str) -> pb.Process:
        """A container's first process."""
        request = self.pb.TaskRequest(container_id=container)
        answer: pb.ProcessAnswer = self.call(_TASKS + "Get", request, self.pb.ProcessAnswer)
        return answer.process

    def kill(self, container: str, signal_number: int, *, exec_id: str = "") -> None:
        """Send a signal to a container's first process, or to another."""
        request = self.pb.KillRequest(container_id=container, exec_id=exec_id, signal=signal_number)
        self.call(_TASKS + "Kill", request, self.pb.Nothing)

    def wait(self, container: str, *, exec_id: str = "", seconds: float | None = None) -> int | None:
        """The exit code of a process once it has ended; None when `seconds` are over."""
        request = self.pb.TaskRequest(container_id=container, exec_id=exec_id)
        try:
            answer: pb.WaitAnswer = self.call(_TASKS + "Wait", request, self.pb.WaitAnswer, seconds=seconds)
        except Refused as refused:
            if not refused.missing and "exceeded" not in refused.text.lower():
                raise
            return None
        return answer.exit_status

    def pause(self, container: str) -> None:
        """Freeze a container."""
        self.call(_TASKS + "Pause", self.pb.TaskRequest(container_id=container), self.pb.Nothing)

    def unpause(self, container: str) -> None:
        """Let it run on."""
        self.call(_TASKS + "Resume", self.pb.TaskRequest(container_id=container), self.pb.Nothing)

    def pids(self, container: str) -> list[int]:
        """The process IDs in a container, as the node counts them."""
        request = self.pb.TaskRequest(container_id=container)
        found: pb.Pids = self.call(_TASKS + "ListPids", request, self.pb.Pids)
        return [process.pid for process in found.processes]

    def add_process(self, request: pb.ExecRequest) -> None:
        """Prepare a further process in a container."""
        self.call(_TASKS + "Exec", request, self.pb.Nothing)

    def start_process(self, container: str, exec_id: str) -> None:
        """Run what was prepared."""
        request = self.pb.TaskRequest(container_id=container, exec_id=exec_id)
        self.call(_TASKS + "Start", request, self.pb.Nothing)

    def resize(self, container: str, exec_id: str, size: os.terminal_size) -> None:
        """Tell a process the size of its terminal."""
        request = self.pb.ResizeRequest(container_id=container, exec_id=exec_id, width=size.columns, height=size.lines)
        self.call(_TASKS + "ResizePty", request, self.pb.Nothing)

    def close_input(self, container: str, exec_id: str) -> None:
        """Tell a process that its input has ended."""
        request = self.pb.CloseInputRequest(container_id=container, exec_id=exec_id, stdin=True)
        self.call(_TASKS + "CloseIO", request, self.pb.Nothing)

    def delete_process(self, container: str, exec_id: str) -> None:
        """Forget a further process that has ended."""
        request = self.pb.TaskRequest(container_id=container, exec_id=exec_id)
        self.call(_TASKS + "DeleteProcess", request, self.pb.Nothing)


def _plain(text: str) -> str:
    return text.removeprefix("rpc error: ").strip() or "the container engine refused without a word"
