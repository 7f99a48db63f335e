"""The notifier's command line: what every service has."""

from notifier import wiring
from notifier.operations.backtest_commands import add_backtest_command
from notifier.operations.doctor import checks
from notifier.operations.explain import explain_ticket
from notifier.operations.preview_commands import add_preview_command
from notifier.operations.promises import add_promises
from notifier.operations.silence_commands import add_silence_commands
from notifier.settings import Settings, WebSettings
from supportops.operations.commands import Operations, add_operations
from supportops.runtime.cli import Service, build_app
from supportops.web.auth.commands import add_login_commands

SERVICE = Service(
    name="notifier",
    about="Tells the right Slack channel at the right second.",
    settings=Settings,
    serve=wiring.serve,
    serve_settings=WebSettings,
    work=wiring.work,
    run=wiring.run,
    package="notifier",
    policy=wiring.POLICY,
)
OPERATIONS = Operations(explain=explain_ticket, checks=checks, group=wiring.GROUP, old_names=("post-again",))
app = build_app(SERVICE)
add_login_commands(app, SERVICE.name)
add_operations(app, SERVICE, OPERATIONS)
add_silence_commands(app, SERVICE)
add_preview_command(app, SERVICE, wiring.open_for_command)
add_backtest_command(app, SERVICE, wiring.open_for_command)
add_promises(app, SERVICE)


if __name__ == "__main__":
    app()
