"""The command line of csat: `serve`, `work`, `run`, `migrate`, `settings`, `explain`."""

from csat import wiring
from csat.kpi.commands import add_numbers_commands
from csat.operations.commands import add_commands
from csat.ratings.commands import add_history_commands
from csat.settings import CsatRules, Settings
from supportops.runtime.check_config import Section
from supportops.runtime.cli import Service, build_app
from supportops.web.auth.commands import add_login_commands

SERVICE = Service(
    name="csat",
    about="Asks for a rating a day after a ticket is solved, takes the votes and computes the CSAT KPI.",
    settings=Settings,
    migrate=wiring.migrate,
    serve=wiring.serve,
    work=wiring.work,
    run=wiring.run,
    rules=Section("csat", CsatRules, also=wiring.check_texts),
)
app = build_app(SERVICE)


add_commands(app, SERVICE)
add_history_commands(app, SERVICE)
add_login_commands(app)
add_numbers_commands(app, SERVICE, wiring.own_database, lambda settings: wiring.load_rules(settings).numbers)


if __name__ == "__main__":
    app()
