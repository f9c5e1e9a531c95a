"""The tables of the database. The log of entries is the truth, the outbox of messages stands beside it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _instant(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


terms = Table(
    "terms",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("body", JSONB, nullable=False),
    comment="What an order is followed by: its template and ladder as they were when it came in.",
)

orders = Table(
    "orders",
    metadata,
    Column("order_no", Text, primary_key=True),
    Column("terms", Text, ForeignKey("terms.digest"), nullable=False),
    Column("customer", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="export"),
    Column("parent", Text, ForeignKey("orders.order_no")),
    Column("body", JSONB, nullable=False),
    Index("ix_orders_parent", "parent", postgresql_where=text("parent IS NOT NULL")),
    comment="Orders as they were placed. Only their terms change, and the log says when; all else stands in the log.",
)

entries = Table(
    "entries",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("order_no", Text, ForeignKey("orders.order_no"), nullable=False),
    Column("kind", Text, nullable=False),
    _instant("recorded_at", nullable=False),
    Column("source", Text, nullable=False, server_default=""),
    Column("source_event_id", Text, nullable=False, server_default=""),
    Column("body", JSONB, nullable=False),
    Index("ix_entries_order_no_seq", "order_no", "seq"),
    Index(
        "uq_entries_source_event",
        "source",
        "source_event_id",
        unique=True,
        postgresql_where=text("source_event_id <> ''"),
    ),
    comment="The log: everything told about an order. Rows are added and never changed.",
)

calendar_lists = Table(
    "calendar_lists",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("official", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("holidays", JSONB, nullable=False),
    Column("workdays", JSONB, nullable=False),
    Column("source", Text, nullable=False, server_default=""),
    Column("by", Text, nullable=False, server_default=""),
    _instant("recorded_at", nullable=False),
    comment="Official holidays of a year, as they were loaded; the last row of a list and year holds.",
)

follow_ups = Table(
    "follow_ups",
    metadata,
    Column("order_no", Text, ForeignKey("orders.order_no"), primary_key=True),
    Column("state", Text, nullable=False),
    Column("closed_as", Text),
    Column("waits_for", Text, nullable=False, server_default=""),
    Column("flow_run_id", Uuid),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("wanted", Boolean, nullable=False, server_default=false()),
    _instant("next_wake_up"),
    _instant("awake_since"),
    Column("awake_by", Text, nullable=False, server_default=""),
    Column("wakes", Integer, nullable=False, server_default="0"),
    _instant("clock"),
    Column("shown", JSONB, nullable=False, server_default="{}"),
    Column("page", JSONB, nullable=False, server_default="{}"),
    Index("ix_follow_ups_due", "next_wake_up", postgresql_where=text("awake_since IS NULL AND clock IS NULL")),
    Index("ix_follow_ups_wanted", "order_no", postgresql_where=text("wanted AND awake_since IS NULL")),
    Index("ix_follow_ups_awake", "awake_since", postgresql_where=text("awake_since IS NOT NULL")),
    Index("ix_follow_ups_open", "order_no", postgresql_where=text("closed_as IS NULL")),
    Index("ix_follow_ups_flow_run_id", "flow_run_id"),
    comment="Where each order's Prefect run stands. Derived: all of it can be made again from the log.",
)

messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_no", Text, ForeignKey("orders.order_no"), nullable=False),
    Column("milestone", Text, nullable=False),
    Column("rung", Text, nullable=False),
    _instant("due", nullable=False),
    Column("recipient", Text, nullable=False),
    Column("person", Text, nullable=False, server_default=""),
    _instant("claimed_at", nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _instant("next_attempt_at"),
    _instant("delivered_at"),
    Column("error", Text, nullable=False, server_default=""),
    UniqueConstraint("order_no", "milestone", "rung", "due"),
    Index("ix_messages_next_attempt_at", "next_attempt_at", postgresql_where=text("delivered_at IS NULL")),
    comment="The outbox: one row for each order, milestone, rung and due version; whoever inserts it sends it.",
)
