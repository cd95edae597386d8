"""Preparing and starting the containers of one pod: volumes, environment, mounts, image, command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.node.isolation import security
from homeostat.node.pod import mounts
from homeostat.node.pod.context import NodeContext
from homeostat.node.podspec import env, spec, unsupported
from homeostat.node.podspec.downward import ConfigError, Surroundings
from homeostat.node.podspec.env import Sources
from homeostat.node.podspec.failures import NotYet, StartFailure
from homeostat.node.podspec.service_env import service_variables
from homeostat.node.podspec.view import FailureReason
from homeostat.node.volumes.payload import TokenProjection
from homeostat.node.volumes.volumes import PodFiles, referred, token_projections
from homeostat.runtime.contract import (
    Container,
    ContainerSpec,
    Mount,
    Resources,
    RuntimeFault,
    Sandbox,
    Security,
)

CONFIG_ERROR = "CreateContainerConfigError"


@dataclass(frozen=True, slots=True)
class Start:
    """One container to start: which, its restart count, its pod's place, its image's ID, whose processes it is to
    see."""

    container: Obj
    attempt: int
    sandbox: Sandbox
    image: str
    target_id: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a pod refers to, read while its sandbox was made; `error` is why it could not be."""

    sources: Sources
    tokens: dict[TokenProjection, str]
    error: ApiError | None = None


class Starter:
    """Starts containers of one pod. Only a runtime whose containers are real gets files and environments."""

    def __init__(self, context: NodeContext, files: PodFiles) -> None:
        self._context = context
        self._files = files

    def _around(self, pod_ip: str) -> Surroundings:
        isolates = self._context.pod_isolation is not None
        return Surroundings(pod_ip, self._context.config.address, self._context.allocatable, isolates)

    async def gather(self, pod: Obj, containers: Iterable[Obj]) -> Gathered:
        """Read all that volumes and environments refer to."""
        wanted = referred(pod) + [ref for container in containers for ref in env.references(container)]
        try:
            sources = await self._context.references.fetch(meta.namespace(pod), wanted)
            return Gathered(sources, await self._context.references.tokens(pod, token_projections(pod)))
        except ApiError as error:
            return Gathered({}, {}, error)

    async def make_volumes(self, pod: Obj, pod_ip: str, gathered: Gathered | None = None) -> None:
        """Make the pod's volumes, or bring them up to date. Raises VolumeError and ApiError."""
        if not self._context.runtime.real or not spec.spec(pod).get("volumes"):
            return
        found = gathered or await self.gather(pod, ())
        if found.error is not None:
            raise found.error
        self._files.make_volumes(pod, found.sources, found.tokens, self._around(pod_ip))

    async def image(self, pod: Obj, container: Obj) -> str | StartFailure:
        """Pull the container's image; its ID, or why it cannot be pulled (or the container cannot be run at all)."""
        reason = unsupported.refused(container)
        if reason:
            return StartFailure(FailureReason(CONFIG_ERROR, reason))
        try:
            return await self._context.puller.bring(pod, container)
        except StartFailure as failure:
            return failure
        except RuntimeFault as fault:
            return StartFailure(FailureReason(fault.reason, fault.message))
        except ApiError as error:
            return StartFailure(FailureReason("ErrImagePull", f"pull secrets cannot be read: {error}"))

    async def start(self, pod: Obj, todo: Start, gathered: Gathered | None = None) -> Container:
        """Create and start one container. Raises StartFailure, NotYet and ApiError."""
        runtime, container = self._context.runtime, todo.container
        try:
            wanted = await self._spec(pod, todo, gathered)
            created = await runtime.create_container(todo.sandbox.id, wanted)
            self._context.recorder.record(pod, "Created", f"Created container: {container['name']}")
            started = await runtime.start_container(created.id)
        except ConfigError as error:
            raise StartFailure(FailureReason(CONFIG_ERROR, str(error))) from error
        except RuntimeFault as fault:
            raise StartFailure(FailureReason(fault.reason, fault.message)) from fault
        self._context.recorder.record(pod, "Started", f"Started container {container['name']}")
        return started

    async def _spec(self, pod: Obj, todo: Start, gathered: Gathered | None) -> ContainerSpec:
        container, isolates = todo.container, self._context.pod_isolation is not None
        if gathered is None or gathered.error is not None:
            wanted = env.references(container)
            gathered = Gathered(await self._context.references.fetch(meta.namespace(pod), wanted), {})
        services = self._services(pod) if self._context.runtime.real else {}
        around = self._around(todo.sandbox.ip)
        variables = env.environment(pod, container, gathered.sources, services, around)
        command = tuple(env.expand(word, variables) for word in container.get("command") or ())
        args = tuple(env.expand(word, variables) for word in container.get("args") or ())
        shield, limits = await self._confinement(pod, container, todo.image)
        return ContainerSpec(
            name=container["name"],
            image=container.get("image") or "",
            attempt=todo.attempt,
            # Without a command the arguments alone are nothing to run: the image's entry point is missing.
            argv=(*command, *args) if command else (),
            command=command if isolates else (),
            args=args if isolates else (),
            env=tuple(variables.items()),
            working_dir=container.get("workingDir") or "",
            mounts=self._mounts(pod, todo, variables),
            log_path=self._files.log_path(container["name"], todo.attempt) if self._context.runtime.real else "",
            stop_signal=spec.stop_signal(container),
            spec_hash=spec.container_hash(container),
            security=shield,
            resources=limits,
            stdin=bool(container.get("stdin")),
            stdin_once=bool(container.get("stdinOnce")),
            tty=bool(container.get("tty")),
            target_id=todo.target_id,
        )

    def _mounts(self, pod: Obj, todo: Start, variables: dict[str, str]) -> tuple[Mount, ...]:
        pod_isolation, container = self._context.pod_isolation, todo.container
        if not self._context.runtime.real:
            return ()
        found = mounts.volume_mounts(self._files, pod, container, variables, isolates=pod_isolation is not None)
        if pod_isolation is not None and todo.sandbox.ip:
            found += mounts.hosts(self._files, container, pod_isolation.hosts(pod, todo.sandbox.ip))
        return (*found, mounts.last_words(self._files, container, todo.attempt))

    async def _confinement(self, pod: Obj, container: Obj, image: str) -> tuple[Security, Resources]:
        """Who the container runs as and what it may use. Raises ConfigError."""
        pod_isolation = self._context.pod_isolation
        if pod_isolation is None:
            return Security(), Resources()
        user = None
        if security.asks_image_user(pod, container):
            user = await self._context.puller.user_of(image)
        security.check_non_root(pod, container, user)
        shield = security.container_security(pod, container, user, pod_isolation.profiles)
        return shield, pod_isolation.resources(pod, container)

    def _services(self, pod: Obj) -> dict[str, str]:
        services = self._context.services()
        if services is None:
            if not spec.is_static(pod):
                raise NotYet("services have not yet been read at least once, cannot construct envvars")
            services = ()
        links = spec.spec(pod).get("enableServiceLinks") is not False
        return service_variables(services, meta.namespace(pod), links=links)
