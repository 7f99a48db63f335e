"""In front of every Zendesk endpoint: who is calling, how often, and how a refusal looks."""

import base64
import binascii
import hmac

from sandbox.web import BadBody, Call, Handler, Reply
from sandbox.zendesk.account import Account
from sandbox.zendesk.limits import Limits
from sandbox.zendesk.problems import Problem, rate_limited


class Gate:
    """Basic `email/token:TOKEN` or `Bearer TOKEN`; any known agent's e-mail may be used with the token."""

    def __init__(self, account: Account, limits: Limits) -> None:
        self._account = account
        self._limits = limits

    def __call__(self, call: Call, handler: Handler) -> Reply:
        try:
            reply = self._answer(call, handler)
        except Problem as problem:
            reply = problem.reply
        except BadBody as error:
            reply = Reply(400, {"error": "InvalidRequest", "description": f"Unparseable JSON: {error}"})
        reply.headers.update(self._limits.headers())
        return reply

    def _answer(self, call: Call, handler: Handler) -> Reply:
        if not self._known(call.headers.get("authorization", "")):
            return Reply(401, {"error": "Couldn't authenticate you"})
        if (wait := self._limits.account.take()) is not None:
            raise rate_limited(wait)
        return handler(call)

    def _known(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        key = self._account.settings.zendesk_key
        if scheme.lower() == "bearer":
            return _equal(value.strip(), key)
        if scheme.lower() != "basic":
            return False
        try:
            user, _, given = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        email = user.removesuffix("/token")
        known = self._account.user_by_email(email)
        return user.endswith("/token") and known is not None and known.is_staff and _equal(given, key)


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
