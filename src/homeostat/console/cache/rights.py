"""Whether a user may see what is shared: the cluster is asked, with the user's own token."""

from __future__ import annotations

import asyncio

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.kinds import SELFSUBJECTACCESSREVIEW
from homeostat.api.types import Obj
from homeostat.client.api_client import ApiClient
from homeostat.console.cache.places import Place
from homeostat.console.upstream.api_servers import Speaker

# How long an answer counts.
RIGHTS_SECONDS = 15.0
VERBS = ("list", "watch")


async def refusal(speaker: Speaker, user: str, place: Place) -> ApiError | None:
    """Why the user may not list and watch in a place; None: they may. Raises ApiError when it cannot be found out, 401
    when the token is no longer good."""
    client = ApiClient(speaker, user_agent="homeostat-console")
    answers = await asyncio.gather(*[_asked(client, verb, place) for verb in VERBS])
    for verb, status in zip(VERBS, answers, strict=True):
        if not status.get("allowed"):
            return _forbidden(verb, user, place, str(status.get("reason") or ""))
    return None


async def _asked(client: ApiClient, verb: str, place: Place) -> Obj:
    resource = place.resource
    attributes = {"verb": verb, "group": resource.group, "version": resource.version, "resource": resource.plural}
    if place.namespace:
        attributes["namespace"] = place.namespace
    if place.name:
        attributes["name"] = place.name
    review = {
        "apiVersion": SELFSUBJECTACCESSREVIEW.api_version,
        "kind": SELFSUBJECTACCESSREVIEW.kind,
        "spec": {"resourceAttributes": attributes},
    }
    made = await client.create(SELFSUBJECTACCESSREVIEW, review)
    return made.get("status") or {}


def _forbidden(verb: str, user: str, place: Place, reason: str) -> ApiError:
    """In kube-apiserver's words."""
    resource = place.resource
    where = f' in the namespace "{place.namespace}"' if place.namespace else " at the cluster scope"
    why = f'User "{user}" cannot {verb} resource "{resource.plural}" in API group "{resource.group}"{where}'
    return errors.forbidden(resource.plural, resource.group, place.name, f"{why}{f': {reason}' if reason else ''}")
