"""A command with subcommands, which names the most likely one for a word that is none of them."""

from __future__ import annotations

import click


class Group(click.Group):
    """For `homeostat` itself and for those of its commands that have subcommands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand. Raises UsageError."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            from homeostat.operate.name_checks import did_you_mean

            ctx.fail(f"no such command {args[0]!r}{did_you_mean(args[0], known)}")
        return super().resolve_command(ctx, args)
