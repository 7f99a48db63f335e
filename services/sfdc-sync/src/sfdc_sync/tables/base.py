"""What all of sfdc-sync's tables belong to, and the engine's tables among them."""

from sqlalchemy import MetaData

from supportops.store import engine_tables

metadata = MetaData()
engine = engine_tables(metadata)
