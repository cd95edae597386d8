"""`homeostat join-command`."""

from __future__ import annotations

import click

from homeostat.cli.options import known, name_option


@click.command("join-command")
@name_option
@click.option("--ttl", default="24h", show_default=True, help="How long the token is valid; 0: for ever.")
@click.option("--description", default="", help="What the token is for.")
def command(name: str, ttl: str, description: str) -> None:
    """Make a token, and print the command by which a further Linux machine joins as a worker."""
    import asyncio

    from homeostat.api import durations

    try:
        seconds = durations.parse(ttl) if ttl != "0" else 0.0
    except ValueError as error:
        raise click.BadParameter(f"{ttl!r} is no duration such as 24h or 90m", param_hint="--ttl") from error
    if seconds < 0:
        raise click.BadParameter("a token cannot expire before it is made", param_hint="--ttl")
    click.echo(asyncio.run(_make(name, seconds, description)))


async def _make(name: str, seconds: float, description: str) -> str:
    from homeostat.api.certificates import bootstrap_tokens
    from homeostat.api.kinds import SECRET
    from homeostat.cluster import certificates
    from homeostat.kit import chance, clock
    from homeostat.operate.clients import administering
    from homeostat.wire import pki

    folder = known(name)
    identifier, secret = bootstrap_tokens.token_text(chance.below(bootstrap_tokens.TOKENS))
    token = f"{identifier}.{secret}"
    expires = clock.wall() + seconds if seconds else None
    async with administering(folder) as client:
        await client.create(SECRET, bootstrap_tokens.secret_of(token, expires=expires, description=description))
    fingerprint = pki.fingerprint(certificates.ca_pem(folder.pki).encode())
    return f"homeostat join {folder.load().public_url} --token {token} --ca-cert-hash {fingerprint}"
