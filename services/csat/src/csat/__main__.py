"""The command line of csat."""

from csat import wiring
from csat.kpi.commands import add_kpi_commands
from csat.operations.doctor import checks
from csat.operations.timeline_text import explain_ticket
from csat.ratings.commands import add_history_commands
from csat.settings import Settings, WebSettings
from supportops.operations.commands import Operations, add_operations
from supportops.runtime.cli import Service, build_app
from supportops.web.auth.commands import add_login_commands

SERVICE = Service(
    name="csat",
    about="Asks for a rating a day after a ticket is solved, takes the votes and computes the CSAT KPI.",
    package="csat",
    settings=Settings,
    policy=wiring.POLICY,
    serve=wiring.serve,
    serve_settings=WebSettings,
    work=wiring.work,
    run=wiring.run,
)
app = build_app(SERVICE)
add_operations(app, SERVICE, Operations(explain=explain_ticket, checks=checks, group=wiring.GROUP))
add_history_commands(app, SERVICE, wiring.backfill)
add_login_commands(app, SERVICE.name)
add_kpi_commands(app, SERVICE)


if __name__ == "__main__":
    app()
