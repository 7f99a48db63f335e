"""The Support Bot: whoever asks in Slack gets an honest answer, or an honest no (docs/notifier.md, "Support Bot")."""
