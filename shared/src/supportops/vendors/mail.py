"""Letters by SMTP: plain text, one Message-ID for one key, so that a repeat is known as one."""

import asyncio
import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

from pydantic import SecretStr

from supportops.clock import Clock
from supportops.errors import Permanent, Retryable

LONGEST_SUBJECT = 200
STEP = timedelta(seconds=10)
"""How long one step of the conversation may take."""


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed in, and from whom they are."""

    host: str
    sender: str
    port: int = 587
    user: str | None = None
    password: SecretStr | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"


class Mail:
    """Hands letters to one server."""

    def __init__(self, server: MailServer, clock: Clock) -> None:
        self._server, self._clock = server, clock

    async def send(self, key: str, to: Sequence[str], subject: str, text: str) -> None:
        """Send a letter; `key` makes its Message-ID. Permanent when it is refused, Retryable when nobody answers."""
        letter = self.letter(key, to, subject, text)
        try:
            await asyncio.to_thread(_hand_in, self._server, letter)
        except smtplib.SMTPRecipientsRefused as error:
            raise Permanent("smtp: every recipient is refused") from error
        except smtplib.SMTPResponseException as error:
            kind = Permanent if error.smtp_code >= 500 else Retryable
            raise kind(f"smtp: refused with {error.smtp_code}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Retryable(f"smtp: {type(error).__name__}") from error

    def letter(self, key: str, to: Sequence[str], subject: str, text: str) -> EmailMessage:
        """The letter; its subject is one line without controls, and nothing in it is a header or is decoded."""
        letter = EmailMessage(policy=SMTP)
        letter["From"], letter["To"] = self._server.sender, ", ".join(to)
        letter["Subject"] = _plain(subject)[:LONGEST_SUBJECT]
        letter["Date"] = format_datetime(self._clock.now())
        host = self._server.sender.rpartition("@")[2]
        letter["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{host}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text.encode("utf-8", "replace").decode())
        return letter


def _plain(text: str) -> str:
    """Text for a header: `=?` would begin an encoded word, and a stranger's is theirs to write and nobody's to read."""
    visible = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(visible.replace("=?", "= ?").split())


def _hand_in(settings: MailServer, letter: EmailMessage) -> None:
    context = None if settings.security == "none" else ssl.create_default_context()
    with _connected(settings, context) as server:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.user is not None and settings.password is not None:
            server.login(settings.user, settings.password.get_secret_value())
        server.send_message(letter)


def _connected(settings: MailServer, context: ssl.SSLContext | None) -> smtplib.SMTP:
    seconds = STEP.total_seconds()
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=seconds, context=context)
    return smtplib.SMTP(settings.host, settings.port, timeout=seconds)
