"""The way into a cluster's Console: a link with a code that signs in once.

A code is a bootstrap token that may do one thing, ask for a token of the Console's ServiceAccount
(`addons.sign_in_objects`).
"""

from __future__ import annotations

from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.kinds import SECRET
from homeostat.client.contract import Client
from homeostat.cluster.errors import LabError
from homeostat.cluster.topology import Cluster
from homeostat.kit import chance, clock

CODE_SECONDS = 600.0


async def link(client: Client, cluster: Cluster) -> str:
    """A link that signs in once, within `CODE_SECONDS`. Raises ApiError, and LabError where there is no Console."""
    if not cluster.console_port:
        name = "" if cluster.name == "homeostat" else f" --name {cluster.name}"
        text = f"cluster {cluster.name!r} was started without the Console; "
        raise LabError(text + f"`homeostat up{name} --console-port PORT` gives it one, after `homeostat down{name}`")
    code = ".".join(bootstrap_tokens.token_text(chance.below(bootstrap_tokens.TOKENS)))
    secret = bootstrap_tokens.secret_of(
        code,
        expires=clock.wall() + CODE_SECONDS,
        groups=(bootstrap_tokens.CONSOLE_GROUP,),
        description="a sign-in code of the Console, good for one use",
        signing=False,
    )
    await client.create(SECRET, secret)
    return f"{cluster.console_url}/#code={code}"
