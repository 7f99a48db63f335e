"""In front of every Zendesk endpoint: who is calling, with which scope, how often, and how a refusal looks."""

import base64
import binascii
import hmac

from sandbox.web import BadBody, Call, Handler, Reply
from sandbox.zendesk.account import Account
from sandbox.zendesk.limits import Limits
from sandbox.zendesk.oauth import OAuthTokens, missing_scope
from sandbox.zendesk.problems import Problem, out_of_scope, rate_limited, unknown_caller


class ZendeskMiddleware:
    """`Bearer` with a granted token, or Basic `email/token:TOKEN` with any known agent's e-mail and the API token."""

    def __init__(self, account: Account, limits: Limits, tokens: OAuthTokens) -> None:
        self._account = account
        self._limits = limits
        self._tokens = tokens

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
        self._admit(call)
        if (wait := self._limits.account.take()) is not None:
            raise rate_limited(wait)
        return handler(call)

    def _admit(self, call: Call) -> None:
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self._admit_token(call, value.strip())
        elif scheme.lower() != "basic" or not self._known(value):
            raise unknown_caller()

    def _admit_token(self, call: Call, token: str) -> None:
        if _equal(
            token, self._account.settings.zendesk_key
        ):  # a convenience of tests: no real account takes it
            return
        scopes = self._tokens.open(token)
        if scopes is None:
            raise unknown_caller(
                "invalid_token", "The access token provided is expired, revoked, malformed or invalid"
            )
        if (missing := missing_scope(scopes, call.method, call.path)) is not None:
            raise out_of_scope(missing)

    def _known(self, value: str) -> bool:
        key = self._account.settings.zendesk_key
        try:
            user, _, given = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        email = user.removesuffix("/token")
        known = self._account.user_by_email(email)
        return user.endswith("/token") and known is not None and known.is_staff and _equal(given, key)


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
