"""The notifier's command line: what every service has, `given-up` and `post-again`."""

from typing import Annotated

import typer

from notifier import web, wiring
from notifier.settings import Settings
from supportops.runtime.cli import AsJson, Service, build_app, execute
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.web.auth.commands import add_login_commands

SERVICE = Service(
    name="notifier",
    about="Tells the right Slack channel at the right second.",
    settings=Settings,
    serve=wiring.serve,
    work=wiring.work,
    run=wiring.run,
    package="notifier",
    policy=wiring.POLICY,
)
app = build_app(SERVICE)
add_login_commands(app, SERVICE.name)


@app.command("given-up")
def given_up(as_json: AsJson = False) -> None:
    """Show the posts that were given up on, and why."""

    async def show(settings: Settings) -> int:
        async with SERVICE.open_database(settings) as store:
            emit(await web.given_up(store), as_json=as_json, title="Posts given up on")
        return CLEAN

    raise typer.Exit(execute(SERVICE, show))


@app.command("post-again")
def post_again(
    keys: Annotated[list[str] | None, typer.Argument(help="Keys as `given-up` shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try posts again that were given up on, once what stood in their way is mended; the running worker does it.

    What is older than `max_age` by then is not posted.
    """

    async def again(settings: Settings) -> int:
        async with SERVICE.open_database(settings) as store:
            wanted = [row["key"] for row in await web.given_up(store)] if everything else keys or []
            queued = await web.post_again(store, wanted)
        emit([{"key": key, "queued": True} for key in queued], as_json=as_json)
        return CLEAN if queued or everything else FAILED

    raise typer.Exit(execute(SERVICE, again))


if __name__ == "__main__":
    app()
