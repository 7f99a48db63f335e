"""The store of a service: transactions, inbox, outbox, deliveries."""

from supportops.store.engine import Store, open_store
from supportops.store.outage import is_outage
from supportops.store.rows import Rows
from supportops.store.tables import EngineTables, UtcDateTime, engine_tables
from supportops.store.transaction import Transaction

__all__ = [
    "EngineTables",
    "Rows",
    "Store",
    "Transaction",
    "UtcDateTime",
    "engine_tables",
    "is_outage",
    "open_store",
]
