"""Preparing and starting the containers of one pod: volumes, environment, mounts, image, command."""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node import env, spec, unsupported
from homeostat.node.context import NodeContext
from homeostat.node.downward import ConfigError, Surroundings
from homeostat.node.serviceenv import service_variables
from homeostat.node.view import Trouble
from homeostat.node.volumes import PodFiles, referred, token_wishes
from homeostat.runtime.contract import Container, ContainerSpec, Mount, RuntimeFault, Sandbox

CONFIG_ERROR = "CreateContainerConfigError"


class StartFailure(Exception):
    """A container could not be created or started; `trouble` is what its status shows."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class NotYet(Exception):
    """What is needed first is not known yet (the cluster's services)."""


class Starter:
    """Starts containers of one pod. Only a runtime whose containers are real gets files and environments."""

    def __init__(self, context: NodeContext, files: PodFiles) -> None:
        self._context = context
        self._files = files

    def _around(self, pod_ip: str) -> Surroundings:
        return Surroundings(pod_ip, self._context.config.address, self._context.allocatable)

    async def make_volumes(self, pod: Obj, pod_ip: str) -> None:
        """Make the pod's volumes, or bring them up to date. Raises VolumeError and ApiError."""
        if not self._context.runtime.real or not spec.spec(pod).get("volumes"):
            return
        references = self._context.references
        sources = await references.fetch(meta.namespace(pod), referred(pod))
        tokens = await references.tokens(pod, token_wishes(pod))
        self._files.make_volumes(pod, sources, tokens, self._around(pod_ip))

    async def start(self, pod: Obj, container: Obj, attempt: int, sandbox: Sandbox) -> Container:
        """Create and start one container. Raises StartFailure, NotYet and ApiError."""
        runtime = self._context.runtime
        reason = unsupported.refused(container)
        if reason:
            raise StartFailure(Trouble(CONFIG_ERROR, reason))
        try:
            wanted = await self._spec(pod, container, attempt, sandbox)
        except ConfigError as error:
            raise StartFailure(Trouble(CONFIG_ERROR, str(error))) from error
        try:
            await self._bring_image(pod, container)
            created = await runtime.create_container(sandbox.id, wanted)
            self._context.recorder.record(pod, "Created", f"Created container: {container['name']}")
            started = await runtime.start_container(created.id)
        except RuntimeFault as fault:
            raise StartFailure(Trouble(fault.reason, fault.message)) from fault
        self._context.recorder.record(pod, "Started", f"Started container {container['name']}")
        return started

    async def _bring_image(self, pod: Obj, container: Obj) -> None:
        image, policy = container.get("image") or "", container.get("imagePullPolicy") or "IfNotPresent"
        runtime, record = self._context.runtime, self._context.recorder.record
        present = await runtime.image_status(image) is not None
        if present and policy != "Always":
            return
        if policy == "Never":
            why = f'Container image "{image}" is not present with pull policy of Never'
            raise RuntimeFault("ErrImageNeverPull", why)
        if present:
            return  # what counts as present without ever being pulled needs no pulling either
        record(pod, "Pulling", f'Pulling image "{image}"')
        await runtime.pull_image(image)
        record(pod, "Pulled", f'Successfully pulled image "{image}"')

    async def _spec(self, pod: Obj, container: Obj, attempt: int, sandbox: Sandbox) -> ContainerSpec:
        sources = await self._context.references.fetch(meta.namespace(pod), env.references(container))
        services = self._services(pod) if self._context.runtime.real else {}
        variables = env.environment(pod, container, sources, services, self._around(sandbox.ip))
        words = [*(container.get("command") or ()), *(container.get("args") or ())]
        mounts: tuple[Mount, ...] = ()
        log_path = ""
        if self._context.runtime.real:
            mounts = self._files.mounts(pod, container, variables)
            log_path = self._files.log_path(container["name"], attempt)
        return ContainerSpec(
            name=container["name"],
            image=container.get("image") or "",
            attempt=attempt,
            # Without a command the arguments alone are nothing to run: the image's entry point is missing.
            argv=tuple(env.expand(word, variables) for word in words) if container.get("command") else (),
            env=tuple(variables.items()),
            working_dir=container.get("workingDir") or "",
            mounts=mounts,
            log_path=log_path,
            stop_signal=spec.stop_signal(container),
            spec_hash=spec.container_hash(container),
        )

    def _services(self, pod: Obj) -> dict[str, str]:
        services = self._context.services()
        if services is None:
            if not spec.is_static(pod):
                raise NotYet("services have not yet been read at least once, cannot construct envvars")
            services = ()
        links = spec.spec(pod).get("enableServiceLinks") is not False
        return service_variables(services, meta.namespace(pod), links=links)
