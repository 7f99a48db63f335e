"""A support day on one machine: starts everything as real processes, plays it, and checks every effect.

The keys below are published: they open nothing but the demo.
"""

WEBHOOK_KEY = "sandbox-webhook-secret"
CSAT_KEY = "sandbox-csat-api-token"
LINK_KEY = "sandbox-link-key-1234"
