"""The user's own kubeconfig: a cluster's context becomes the current one, and is removed with the cluster."""

from __future__ import annotations

from homeostat.cluster import kubeconfig
from homeostat.cluster.state_folder import Folder, replace_file


def join(folder: Folder) -> None:
    """Make the cluster's context the current one in the user's kubeconfig. Raises LabError."""
    context = folder.load().context
    before = kubeconfig.merge(kubeconfig.load(folder.kubeconfig), kubeconfig.user_file())
    # At a second `up` it is this cluster's own: what was before the first counts.
    if before != context:
        replace_file(folder.previous_context, before.encode())


def leave(folder: Folder) -> None:
    """Take the cluster out of the user's kubeconfig. Raises LabError."""
    previous = folder.previous_context.read_text() if folder.previous_context.exists() else ""
    kubeconfig.remove(folder.load().context, kubeconfig.user_file(), previous=previous)
