"""The sandbox as these tests use it: a real process, its control API, and what its channels show."""

from typing import Any

from notifier.settings import SLACK_SCOPES
from tests.support.sandbox import SandboxControl

SELF_MANAGED, GITLAB_COM = "zd-self-managed-feed", "zd-gitlab-com-feed"
ADA, RITA = "8447388090494", "8447388090601"


class Outside(SandboxControl):
    """Controls and reads one sandbox."""

    def reset(self) -> None:
        self._http.delete("/faults").raise_for_status()
        self._post("/reset", {})
        self.limit(per_second=1.0, burst=3)

    def limit(self, *, per_second: float | None, burst: int) -> None:
        """Slack's own pace per channel; None lifts it."""
        self._post("/limits", {"slack": {"per_second": per_second, "burst": burst}})

    def arm(self, kind: str, path: str = "chat.postMessage", service: str = "slack", **fault: Any) -> None:
        self._post("/faults", {"service": service, "path": path, "kind": kind, **fault})

    def leave(self, channel: str) -> None:
        """The bot is not in the channel any more: with the scope for public channels it may post, but not read."""
        made = {"id": self.channel_id(channel), "name": channel, "member": False}
        self._post("/slack/channels", made)
        self.allow(*SLACK_SCOPES, "chat:write.public")

    def make_channel(self, channel: str, **flags: Any) -> None:
        """A channel of that id, or what is given of a known one: `private`, `ext_shared`, `member`, `archived`."""
        self._post("/slack/channels", {"id": channel, "name": channel.lower()} | flags)

    def archive(self, channel: str, *, archived: bool = True) -> None:
        made = {"id": self.channel_id(channel), "name": channel, "archived": archived}
        self._post("/slack/channels", made)

    def delete_message(self, channel: str, ts: str) -> None:
        self._post("/slack/delete", {"channel": channel, "ts": ts})

    def channel_id(self, name: str) -> str:
        return next(
            str(each["id"]) for each in self._get("/slack/channels")["channels"] if each["name"] == name
        )

    def create(self, **values: Any) -> dict[str, Any]:
        """A new ticket, as REST shows it."""
        ticket: dict[str, Any] = self._post("/zendesk/tickets", values)["ticket"]
        return ticket

    def organization(self, name: str, **values: Any) -> int:
        """A new organization; its id."""
        made = self._post("/zendesk/organizations", {"name": name, **values})
        return int(made["organization"]["id"])

    def comment(self, ticket: str, body: str, **values: Any) -> str:
        """The new comment's id."""
        return str(self._post(f"/zendesk/tickets/{ticket}/comments", {"body": body, **values})["comment_id"])

    def comments(self, ticket: str) -> list[str]:
        """Ids of the ticket's comments, oldest first."""
        return [str(each["id"]) for each in self._get(f"/zendesk/tickets/{ticket}")["comments"]]

    def make_private(self, ticket: str, comment: str) -> None:
        """As an agent who makes a public comment private."""
        self._post(f"/zendesk/tickets/{ticket}/comments/{comment}/private", {})

    def delete(self, ticket: str) -> None:
        self._post(f"/zendesk/tickets/{ticket}/delete", {})

    def set_sla(self, ticket: str, *targets: dict[str, Any], after: float = 0) -> None:
        """What REST shows of the ticket's SLA targets, some seconds after now."""
        self._post(f"/zendesk/tickets/{ticket}/sla", {"policy_metrics": list(targets), "after": after})

    def sla_roads(self, *roads: str) -> None:
        self._post("/zendesk/sla_roads", {"roads": roads})

    def change(self, ticket: str, **values: Any) -> None:
        """An agent's change of status, priority, form, …"""
        self._post(f"/zendesk/tickets/{ticket}/actions", values)

    def ticket(self, ticket: str) -> dict[str, Any]:
        """A ticket as it is now."""
        shown: dict[str, Any] = self._get(f"/zendesk/tickets/{ticket}")["ticket"]
        return shown

    def rename_form(self, name: str) -> str:
        """A form of that name; its id."""
        return str(self._post("/zendesk/forms", {"name": name})["ticket_form"]["id"])

    def posts(self, channel: str = "") -> list[dict[str, Any]]:
        """Every message that was posted, oldest first."""
        return [entry for entry in self._ledger("slack.message") if channel in ("", entry["channel_name"])]

    def updates(self) -> list[dict[str, Any]]:
        """Every message that was changed, oldest first."""
        return self._ledger("slack.update")

    def ephemeral(self) -> list[dict[str, Any]]:
        """What was said to one person, oldest first."""
        return self._ledger("slack.ephemeral")

    def command(self, url: str, text: str, **more: str) -> dict[str, Any]:
        """Slack sends a slash command there; how it was answered within three seconds."""
        return self._post("/slack/command", {"url": url, "text": text, **more})

    def mention(self, url: str, text: str, **more: Any) -> dict[str, Any]:
        """Slack sends a mention there."""
        return self._post("/slack/mention", {"url": url, "text": text, **more})

    def responses(self) -> list[dict[str, Any]]:
        """What slash commands were answered later, oldest first."""
        return self._ledger("slack.response")

    def make_person(self, user: str, **values: Any) -> None:
        """Somebody in Slack: `team`, `guest`, `groups`, …"""
        usual = {"id": user, "name": user.title(), "email": f"{user.lower()}@support.example"}
        self._post("/slack/users", usual | values)

    def set_views(self, *views: dict[str, Any]) -> None:
        """The views of the account, and what is odd about their counts."""
        self._post("/zendesk/views", {"views": list(views)})

    def set_business_rules(self, **rules: list[dict[str, Any]]) -> None:
        """The account's active `automations` and `triggers`."""
        self._post("/zendesk/business_rules", rules)

    def allow(self, *scopes: str) -> None:
        """What the bot's token may do."""
        self._post("/slack/scopes", {"scopes": scopes})

    def calls_refused(self) -> int:
        return sum(int(fault["hits"]) for fault in self._get("/faults")["faults"])

    def all_faults_happened(self) -> bool:
        """Whether every fault that was armed for a number of calls has had them."""
        return not self._get("/faults")["faults"]

    def _ledger(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._get(f"/ledger?kind={kind}")["entries"]
        return entries


def shown(entry: dict[str, Any]) -> str:
    """Everything that people can read of a message, in one text."""
    blocks = [block for attachment in entry["attachments"] for block in attachment["blocks"]]
    texts = [text for block in blocks for text in (*block.get("elements", []), block.get("text"))]
    words = [text["text"] for text in texts if text]
    return "\n".join([entry["text"], *(each if isinstance(each, str) else each["text"] for each in words)])
