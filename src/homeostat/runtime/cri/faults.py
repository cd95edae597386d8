"""What the engine's words mean for a pod: the kubelet's reasons. Pure."""

from __future__ import annotations

from homeostat.runtime.contract import RuntimeFault
from homeostat.runtime.cri.channel import NOT_FOUND, UNAVAILABLE

# What the reference library that engines share says of a name that is none.
_BAD_NAMES = ("invalid reference format", "repository name must be lowercase", "repository name must be canonical")
# Kubernetes' CRI errors, which begin an engine's message (`pkg/errors` of cri-api).
_TOLD = ("RegistryUnavailable", "SignatureValidationFailed")


def means(reason: str, fault: RuntimeFault) -> RuntimeFault:
    """The fault under the reason of what was tried. An engine that does not answer stays Unavailable."""
    return fault if fault.reason == UNAVAILABLE else RuntimeFault(reason, fault.message)


def of_image(image: str, fault: RuntimeFault, *, pulling: bool) -> RuntimeFault:
    """Why an image could not be looked at or pulled: InvalidImageName, ImageInspectError, ErrImagePull,
    RegistryUnavailable, SignatureValidationFailed."""
    if any(words in fault.message for words in _BAD_NAMES):
        text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {fault.message}'
        return RuntimeFault("InvalidImageName", text)
    if not pulling:
        text = f'Failed to inspect image "{image}": {fault.message}'
        return means("ImageInspectError", RuntimeFault(fault.reason, text))
    for reason in _TOLD:
        if fault.message.startswith(reason):
            return RuntimeFault(reason, fault.message)
    return means("ErrImagePull", fault)


def of_exec(fault: RuntimeFault) -> RuntimeFault:
    """Why a command could not be run in a container."""
    ended = "is in CONTAINER_" in fault.message or "container not running" in fault.message
    return RuntimeFault(NOT_FOUND, fault.message) if ended else means("ExecError", fault)


def taken_by(fault: RuntimeFault) -> str:
    """The ID of what holds the name that was asked for, when that is why it failed: an earlier call, whose answer
    never came, made it."""
    _, found, rest = fault.message.partition("is reserved for ")
    return rest.strip().strip('"') if found else ""
