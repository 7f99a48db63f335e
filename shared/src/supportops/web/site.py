"""What is the same on all pages of one service: its title, where one begins, its pages, and those of its siblings."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from supportops.web.auth.settings import OperatorsSettings

TITLES = {
    "ingest": "Webhooks",
    "csat": "Customer satisfaction",
    "sfdc-sync": "Salesforce",
    "notifier": "Slack",
}


@dataclass(frozen=True)
class Link:
    """An entry of the navigation."""

    title: str
    href: str


@dataclass(frozen=True)
class Site:
    """One service's pages. `start`: the path of the first one; `siblings`: other services, by their addresses.

    `https`: browsers come by https, so cookies are for https alone.
    """

    service: str
    start: str
    pages: tuple[Link, ...] = ()
    siblings: tuple[Link, ...] = ()
    https: bool = False

    @property
    def title(self) -> str:
        """What the pages are about."""
        return TITLES[self.service]


def site_of(
    settings: OperatorsSettings, service: str, start: str, pages: tuple[Link, ...] = (), public_url: str = ""
) -> Site:
    """The site of `service`. `public_url`: its address where the settings have none.

    Without any address of its own it is taken to be reached as its siblings are: their cookie must be the same.
    """
    addresses = settings.addresses()
    own = addresses.pop(service, public_url) or next(iter(addresses.values()), "")
    siblings = tuple(Link(TITLES[name], url) for name, url in addresses.items())
    return Site(service, start, pages, siblings, urlsplit(own).scheme == "https")
