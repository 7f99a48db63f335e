"""A mail scanner fetches whatever it finds, ten times and in every way it knows, before the human votes."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from csat import tables
from csat.survey_link.invitation import SurveyText
from csat.survey_link.tokens import SurveyTokens
from supportops.clock import ManualClock
from supportops.contracts import FeedbackReceived
from supportops.store import Store
from tests.integration.csat.assertions import promised, rows_of, sent_survey

BASE = "https://survey.example.com"
WAYS: list[dict[str, str]] = [
    {},
    {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender", "X-Moz": "prefetch"},
    {"User-Agent": "SafeLinks/1.0", "Range": "bytes=0-1023"},
    {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"},
]


class Finder(HTMLParser):
    """Every address of a page: of its links, and what its forms would fetch if they were sent by GET."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found |= {str(given[name]) for name in ("href", "src", "action") if given.get(name)}
        if tag in ("input", "button", "option") and given.get("value"):
            self.found.add(f"?{given.get('name', 'reason')}={given['value']}")


async def scan(page: httpx.AsyncClient, message: str, times: int) -> int:
    """Fetch every link of the message so many times, and what is found behind each; how many calls that took."""
    waiting, known, calls = re.findall(r"https://\S+", message), set[str](), 0
    assert len(waiting) == 2
    while waiting:
        address = waiting.pop()
        if address in known:
            continue
        known.add(address)
        for turn in range(times):
            reply = await page.get(address, headers=WAYS[turn % len(WAYS)])
            assert (await page.head(address)).status_code == reply.status_code == 200
            calls += 2
        finder = Finder()
        finder.feed(reply.text)
        waiting += [url for url in (urljoin(address, each) for each in finder.found) if url.startswith(BASE)]
    return calls


async def opted_out(store: Store) -> list[str]:
    rows = await rows_of(store, tables.requesters)
    return [row.requester_id for row in rows if row.opted_out_at is not None]


async def test_only_the_human_votes(
    page: httpx.AsyncClient, store: Store, tokens: SurveyTokens, clock: ManualClock
) -> None:
    survey = await sent_survey(store, "17", clock.now())
    message = SurveyText(BASE, tokens).write(survey.survey_id)
    assert await scan(page, message, 10) >= 100
    assert await rows_of(store, tables.ratings) == await rows_of(store, tables.answers) == []
    assert await opted_out(store) == []
    assert not [event for event in await promised(store) if isinstance(event, FeedbackReceived)]
    good = next(link for link in message.split() if link.endswith("?score=good"))
    assert 'value="good" required checked' in (await page.get(good)).text
    assert (await page.post(good, data={"score": "bad"})).status_code == 303
    await scan(page, message, len(WAYS))  # and afterwards it changes nothing either
    [rating] = await rows_of(store, tables.ratings)
    assert (rating.score, rating.revision) == ("bad", 1)
    assert await opted_out(store) == []
