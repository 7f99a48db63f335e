"""A support day on one machine: starts everything as real processes, plays it, and checks every effect.

The keys below are published: they open nothing but the demo.
"""

WEBHOOK_KEY = "sandbox-webhook-secret"
CSAT_KEY = "sandbox-csat-api-token"
LINK_KEY = "sandbox-link-key-1234"
DASHBOARD_KEY = "sandbox-dashboard"
DASHBOARD_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$6h3ItNev/Jlzw/KwUEPzyw$3S3fV2ha5HoF1UzhRqwvGefkeUnYpy18kvR9mbttJg4"
)
"""Of DASHBOARD_KEY, as `csat hash-password` printed it; deploy/sandbox-secrets has the same."""
SESSION_KEY = "sandbox-session-key-1234"
PROXY_KEY = "sandbox-proxy-secret-1234"
"""With it the story is the proxy that logs people in: one asks, another approves."""
