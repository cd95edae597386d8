"""The simulated user: writes through the API, and notes what is wanted since then, by which the end is judged."""

from __future__ import annotations

from homeostat.api.errors import ApiError
from homeostat.api.kinds import DAEMONSET, DEPLOYMENT, NAMESPACE, PDB, POD, SERVICE, Kind
from homeostat.api.types import Obj
from homeostat.sim.clients import workload
from homeostat.sim.clients.workload import App, Daemon
from homeostat.sim.sim_cluster import SimCluster

_RESERVED = ("default", "kube-system", "kube-public", "kube-node-lease")


class User:
    """Does things through the API until they are done, and notes in `cluster.wanted` what is wanted since then."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster

    async def create_namespace(self, name: str) -> None:
        """Create a namespace; while one of that name is still going, wait for it."""
        self._cluster.wanted.namespaces[name] = None
        await self._make(NAMESPACE, workload.namespace(name))

    async def delete_namespace(self, name: str) -> None:
        """Delete a namespace with all that is in it."""
        wanted = self._cluster.wanted
        wanted.namespaces.pop(name, None)
        for key in [key for key in wanted.apps if key.startswith(f"{name}/")]:
            del wanted.apps[key]
            self._cluster.traffic.unwatch(key)
        for key in [key for key in wanted.daemons if key.startswith(f"{name}/")]:
            del wanted.daemons[key]
        await self._delete(NAMESPACE, name, "")

    async def create_app(self, app: App) -> None:
        """Create an app's Deployment and Service, and its budget."""
        self._cluster.wanted.apps[app.key] = app
        await self._make(DEPLOYMENT, workload.deployment(app))
        await self._make(SERVICE, workload.service(app))
        if app.budget >= 0:
            await self._make(PDB, workload.budget(app))
        self._cluster.traffic.watch(app.key)

    async def change_app(self, app: App) -> None:
        """Make the Deployment's replicas and image those of `app`."""
        if app.key not in self._cluster.wanted.apps:
            return
        self._cluster.wanted.apps[app.key] = app
        fresh = workload.deployment(app)["spec"]
        patch = {"spec": {"replicas": app.replicas, "template": fresh["template"]}}
        await self._patch(DEPLOYMENT, app.name, app.namespace, patch)

    async def delete_app(self, key: str, propagation: str = "Background") -> None:
        """Delete an app."""
        app = self._cluster.wanted.apps.pop(key, None)
        if app is None:
            return
        self._cluster.traffic.unwatch(key)
        await self._delete(DEPLOYMENT, app.name, app.namespace, propagation)
        await self._delete(SERVICE, app.name, app.namespace)
        if app.budget >= 0:
            await self._delete(PDB, app.name, app.namespace)

    async def create_daemon(self, daemon: Daemon) -> None:
        """Create a DaemonSet."""
        self._cluster.wanted.daemons[daemon.key] = daemon
        await self._make(DAEMONSET, workload.daemon_set(daemon))

    async def change_daemon(self, daemon: Daemon) -> None:
        """Make the DaemonSet's image that of `daemon`."""
        if daemon.key not in self._cluster.wanted.daemons:
            return
        self._cluster.wanted.daemons[daemon.key] = daemon
        template = workload.daemon_set(daemon)["spec"]["template"]
        await self._patch(DAEMONSET, daemon.name, daemon.namespace, {"spec": {"template": template}})

    async def delete_daemon(self, key: str) -> None:
        """Delete a DaemonSet."""
        daemon = self._cluster.wanted.daemons.pop(key, None)
        if daemon is not None:
            await self._delete(DAEMONSET, daemon.name, daemon.namespace)

    async def delete_pod(self, key: str) -> None:
        """Delete a pod, with its own grace."""
        namespace, _, name = key.partition("/")
        await self._delete(POD, name, namespace)

    async def _make(self, kind: Kind, obj: Obj) -> None:
        """Create; when one of that name is on its way out, wait until it has gone."""
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "")

        async def attempt() -> None:
            try:
                await self._cluster.user.create(kind, obj)
            except ApiError as error:
                if error.reason == "Forbidden" and "terminated" in error.message:
                    raise ApiError(503, "ServiceUnavailable", "the namespace is still going") from error
                if error.reason != "AlreadyExists":
                    raise
                there = await self._cluster.user.get(kind, name, namespace)
                if "deletionTimestamp" in there["metadata"]:
                    raise ApiError(503, "ServiceUnavailable", "the former one is still going") from error

        await self._cluster.insist(attempt)

    async def _patch(self, kind: Kind, name: str, namespace: str, patch: Obj) -> None:
        user = self._cluster.user
        await self._cluster.insist(lambda: user.patch(kind, name, namespace, patch))

    async def _delete(self, kind: Kind, name: str, namespace: str, propagation: str = "Background") -> None:
        user, options = self._cluster.user, {"propagationPolicy": propagation}
        await self._cluster.insist(lambda: user.delete(kind, name, namespace, options=options))
