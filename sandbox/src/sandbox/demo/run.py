"""Plays the day against running services and says what was verified."""

import typer

from sandbox.demo.acts.sharing import SharingPages
from sandbox.demo.acts.upgrade import Operator
from sandbox.demo.story import Story
from sandbox.demo.verdict import findings
from sandbox.demo.world import Addresses, Limits, World


def play(addresses: Addresses, limits: Limits | None = None, operator: Operator | None = None) -> bool:
    """Connect Zendesk, play the day against running services, say what was verified; whether all is right.

    `operator`: runs sfdc-sync's commands; without one no plan changes.
    """
    limits = limits or Limits()
    world = World(addresses)
    sharing = SharingPages(addresses.sfdc_sync, limits.patience) if addresses.sfdc_sync else None
    try:
        world.connect_zendesk()
        day = Story(world, typer.echo, limits=limits, sharing=sharing, operator=operator).play()
        results = findings(world, day)
    finally:
        world.close()
        if sharing is not None:
            sharing.close()
    wrong = [finding for finding in results if not finding.right]
    for finding in wrong:
        typer.echo(finding.line())
    typer.echo(
        f"verified: {len(results) - len(wrong)} of {len(results)} as they should be, each effect exactly once"
    )
    return not wrong
