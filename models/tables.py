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
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

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
    comment="What an order is followed by: its template and policy as they were when it came in.",
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

notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_no", Text, ForeignKey("orders.order_no"), nullable=False),
    Column("milestone", Text, nullable=False),
    Column("rung", Text, nullable=False),
    _instant("due", nullable=False),
    Column("role", Text, nullable=False),
    Column("manner", Text, nullable=False),
    Column("repeat", Integer, nullable=False, server_default="0"),
    _instant("meant_for", nullable=False),
    _instant("raised_at", nullable=False),
    Column("holds", Boolean, nullable=False, server_default=true()),
    _instant("ended_at"),
    Column("told", Integer, nullable=False, server_default="0"),
    _instant("told_at"),
    _instant("held_until"),
    UniqueConstraint("order_no", "milestone", "rung", "due", "role"),
    Index("ix_notices_untold", "id", postgresql_where=text("holds AND told = 0")),
    Index("ix_notices_repeated", "role", postgresql_where=text("holds AND repeat > 0")),
    comment="What an order has to say, raised once for each order, milestone, rung, due version and role.",
)

chases = Table(
    "chases",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("order_no", Text, ForeignKey("orders.order_no"), nullable=False),
    Column("milestone", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rung", Text, nullable=False, server_default=""),
    Column("by", Text, nullable=False, server_default=""),
    Column("why", Text, nullable=False, server_default=""),
    _instant("until"),
    _instant("at", nullable=False),
    Index("ix_chases_order_no_milestone_id", "order_no", "milestone", "id"),
    comment="Every turn of every chase, with who and when; the last row of an order and milestone holds.",
)

messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("order_no", Text, ForeignKey("orders.order_no")),
    _instant("slot"),
    _instant("made_at", nullable=False),
    Column("thread", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False),
    Column("short", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False),
    Column("html", Text, nullable=False, server_default=""),
    _instant("delivered_at"),
    _instant("dead_at"),
    Column("error", Text, nullable=False, server_default=""),
    Index("ix_messages_order_no", "order_no", "id"),
    Index("ix_messages_open", "id", postgresql_where=text("delivered_at IS NULL AND dead_at IS NULL")),
    Index("ix_messages_person_made_at", "person", "made_at"),
    Index("uq_messages_person_slot", "person", "slot", unique=True, postgresql_where=text("slot IS NOT NULL")),
    comment="The outbox: what one person is told at a time, made of one notice or of many.",
)

message_notices = Table(
    "message_notices",
    metadata,
    Column("message_id", BigInteger, ForeignKey("messages.id"), primary_key=True),
    Column("notice_id", BigInteger, ForeignKey("notices.id"), primary_key=True),
    Index("ix_message_notices_notice_id", "notice_id"),
    comment="Which notices a message was made of.",
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", BigInteger, ForeignKey("messages.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("schema", Text, nullable=False),
    Column("rank", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("parts", Integer, nullable=False, server_default="1"),
    _instant("next_attempt_at"),
    _instant("attempted_at"),
    _instant("delivered_at"),
    _instant("dead_at"),
    Column("error", Text, nullable=False, server_default=""),
    UniqueConstraint("message_id", "channel"),
    Index(
        "ix_deliveries_next_attempt_at",
        "next_attempt_at",
        postgresql_where=text("delivered_at IS NULL AND dead_at IS NULL"),
    ),
    Index("ix_deliveries_channel_attempted_at", "channel", "attempted_at"),
    comment="One message on its way to one address, which is known by a fingerprint alone.",
)

channels = Table(
    "channels",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("failures", Integer, nullable=False, server_default="0"),
    _instant("paused_until"),
    comment="Addresses that did not answer, and until when they are left alone.",
)
