"""The sender's signature, against the published vectors and an independent computation.

See docs/vendors/zendesk.md#signature.
"""

import base64
import shutil
import subprocess

import pytest

from sandbox.zendesk.signing import signature

STATIC = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
AT = "2021-03-25T05:09:27Z"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"event":"ticket.updated","id":123}', "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM="),
        ("", "wCdBvXaHttn0wRVIYctzZ9O6O0bnqWakJMEKZ9VoRWw="),
        ('{"note":"Grüße, 你好 🙂"}', "HvwEhPRptdoUU1nNCF6BERYm+DoKp+0t16pLn1eaT9s="),
    ],
)
def test_published_vectors(body: str, expected: str) -> None:
    assert signature(STATIC, AT, body.encode()) == expected


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_computes_the_same() -> None:
    body = b'{\n  "event": {},\n  "n": "\xc3\xbc"\n}\n'
    command = ["openssl", "dgst", "-sha256", "-hmac", "s3cret", "-binary"]
    digest = subprocess.run(command, input=AT.encode() + body, capture_output=True, check=True).stdout
    assert signature("s3cret", AT, body) == base64.b64encode(digest).decode()


def test_every_byte_counts() -> None:
    assert signature(STATIC, AT, b"{}") != signature(STATIC, AT, b"{} ")
    assert signature(STATIC, AT, b"{}") != signature(STATIC, "2021-03-25T05:09:28Z", b"{}")
