"""What the engine's words mean for a pod: the kubelet's reasons. Pure."""

from __future__ import annotations

from homeostat.runtime.contract import RuntimeFault
from homeostat.runtime.cri import reference

# The reasons of the faults that a call to an engine ends with.
UNAVAILABLE, UNSUPPORTED, NOT_FOUND, TOO_LATE = "Unavailable", "Unsupported", "NotFound", "DeadlineExceeded"

# Kubernetes' CRI errors, which begin an engine's message (`pkg/errors` of cri-api).
_CRI_ERRORS = ("RegistryUnavailable", "SignatureValidationFailed")


def means(reason: str, fault: RuntimeFault) -> RuntimeFault:
    """The fault under the reason of what was tried. An engine that does not answer stays Unavailable."""
    return fault if fault.reason == UNAVAILABLE else RuntimeFault(reason, fault.message)


def of_name(image: str) -> RuntimeFault | None:
    """InvalidImageName for what cannot name an image."""
    wrong = reference.wrong_with(image)
    if not wrong:
        return None
    text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {wrong}'
    return RuntimeFault("InvalidImageName", text)


def of_image(image: str, fault: RuntimeFault) -> RuntimeFault:
    """Why an image could not be looked at: ImageInspectError."""
    return means("ImageInspectError", RuntimeFault(fault.reason, f'Failed to inspect image "{image}": {fault.message}'))


def of_pull(fault: RuntimeFault) -> RuntimeFault:
    """Why an image could not be pulled: ErrImagePull, RegistryUnavailable, SignatureValidationFailed."""
    known = next((reason for reason in _CRI_ERRORS if fault.message.startswith(reason)), "")
    return RuntimeFault(known, fault.message) if known else means("ErrImagePull", fault)


def of_exec(fault: RuntimeFault) -> RuntimeFault:
    """Why a command could not be run in a container."""
    ended = "is in CONTAINER_" in fault.message or "container not running" in fault.message
    return RuntimeFault(NOT_FOUND, fault.message) if ended else means("ExecError", fault)


def taken_by(fault: RuntimeFault) -> str:
    """The ID of what holds the name that was asked for, when that is why it failed: an earlier call, whose answer
    never came, made it."""
    _, found, rest = fault.message.partition("is reserved for ")
    return rest.strip().strip('"') if found else ""
