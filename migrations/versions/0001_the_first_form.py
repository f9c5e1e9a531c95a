"""The first form."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the database one step forward."""
    op.create_table(
        "terms",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_terms")),
        comment="What an order is followed by: its template and ladder as they were when it came in.",
    )
    op.create_table(
        "orders",
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["terms"], ["terms.digest"], name=op.f("fk_orders_terms")),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_orders")),
        comment="Orders as they were placed. Never changed: what happens to them stands in the log.",
    )
    op.create_table(
        "entries",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("source_event_id", sa.Text(), server_default="", nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("fk_entries_order_no")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_entries")),
        comment="The log: everything told about an order. Rows are added and never changed.",
    )
    op.create_index("ix_entries_order_no_seq", "entries", ["order_no", "seq"], unique=False)
    op.create_index(
        "uq_entries_source_event",
        "entries",
        ["source", "source_event_id"],
        unique=True,
        postgresql_where=sa.text("source_event_id <> ''"),
    )
    op.create_table(
        "follow_ups",
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closed_as", sa.Text(), nullable=True),
        sa.Column("waits_for", sa.Text(), server_default="", nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("wanted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("next_wake_up", sa.DateTime(timezone=True), nullable=True),
        sa.Column("awake_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("awake_by", sa.Text(), server_default="", nullable=False),
        sa.Column("wakes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("clock", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shown", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("page", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("fk_follow_ups_order_no")),
        sa.PrimaryKeyConstraint("order_no", name=op.f("pk_follow_ups")),
        comment="Where each order's Prefect run stands. Derived: all of it can be made again from the log.",
    )
    op.create_index(
        "ix_follow_ups_awake",
        "follow_ups",
        ["awake_since"],
        unique=False,
        postgresql_where=sa.text("awake_since IS NOT NULL"),
    )
    op.create_index(
        "ix_follow_ups_due",
        "follow_ups",
        ["next_wake_up"],
        unique=False,
        postgresql_where=sa.text("awake_since IS NULL AND clock IS NULL"),
    )
    op.create_index("ix_follow_ups_flow_run_id", "follow_ups", ["flow_run_id"], unique=False)
    op.create_index(
        "ix_follow_ups_open", "follow_ups", ["order_no"], unique=False, postgresql_where=sa.text("closed_as IS NULL")
    )
    op.create_index(
        "ix_follow_ups_wanted",
        "follow_ups",
        ["order_no"],
        unique=False,
        postgresql_where=sa.text("wanted AND awake_since IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("milestone", sa.Text(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("fk_messages_order_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "order_no", "milestone", "rung", "due", name=op.f("uq_messages_order_no_milestone_rung_due")
        ),
        comment="The outbox: one row for each order, milestone, rung and due version; whoever inserts it sends it.",
    )
    op.create_index(
        "ix_messages_next_attempt_at",
        "messages",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.execute(
        "CREATE FUNCTION entries_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the log of entries is only ever added to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER entries_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION entries_are_never_changed()"
    )


def downgrade() -> None:
    """Take the database one step back."""
    op.drop_index(
        "ix_messages_next_attempt_at", table_name="messages", postgresql_where=sa.text("delivered_at IS NULL")
    )
    op.drop_table("messages")
    op.drop_index(
        "ix_follow_ups_wanted", table_name="follow_ups", postgresql_where=sa.text("wanted AND awake_since IS NULL")
    )
    op.drop_index("ix_follow_ups_open", table_name="follow_ups", postgresql_where=sa.text("closed_as IS NULL"))
    op.drop_index("ix_follow_ups_flow_run_id", table_name="follow_ups")
    op.drop_index(
        "ix_follow_ups_due", table_name="follow_ups", postgresql_where=sa.text("awake_since IS NULL AND clock IS NULL")
    )
    op.drop_index("ix_follow_ups_awake", table_name="follow_ups", postgresql_where=sa.text("awake_since IS NOT NULL"))
    op.drop_table("follow_ups")
    op.drop_index("uq_entries_source_event", table_name="entries", postgresql_where=sa.text("source_event_id <> ''"))
    op.drop_index("ix_entries_order_no_seq", table_name="entries")
    op.drop_table("entries")
    op.drop_table("orders")
    op.drop_table("terms")
    op.execute("DROP FUNCTION entries_are_never_changed()")
