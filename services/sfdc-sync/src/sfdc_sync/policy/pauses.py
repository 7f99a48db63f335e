"""How long we wait when the trouble is nobody's own (YAML, `sfdc_sync.pauses`)."""

from datetime import timedelta

from pydantic import Field

from supportops.config.durations import Duration
from supportops.config.rules_file import Rules


class Pauses(Rules):
    """How long the whole destination waits when the trouble is not a record's own."""

    quota: Duration = timedelta(minutes=15)
    busy: Duration = Field(timedelta(seconds=30), description="While too many long calls run at once.")
    login: Duration = Field(timedelta(minutes=5), description="After a refusal; asking on locks the user.")
    login_away: Duration = Field(timedelta(seconds=5), description="While the login does not answer.")
    config: Duration = timedelta(minutes=5)
    storage: Duration = timedelta(hours=1)
