"""The notifier's command line."""

from notifier import wiring
from notifier.settings import Settings
from supportops.cli import Service, build_app

service = Service(
    name="notifier",
    about="Tells the right Slack channel at the right second.",
    settings=Settings,
    serve=wiring.serve,
    work=wiring.work,
    run=wiring.run,
    migrate=wiring.upgrade,
)
app = build_app(service)

if __name__ == "__main__":
    app()
