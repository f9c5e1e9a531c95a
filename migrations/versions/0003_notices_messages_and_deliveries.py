"""Notices apart from messages, deliveries apart from both, and the turns of every chase."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WAS = "The outbox: one row for each order, milestone, rung and due version; whoever inserts it sends it."


def upgrade() -> None:
    """Take the database one step forward."""
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("milestone", sa.Text(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("manner", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Integer(), server_default="0", nullable=False),
        sa.Column("meant_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("holds", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("fk_notices_order_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "order_no", "milestone", "rung", "due", "role", name=op.f("uq_notices_order_no_milestone_rung_due_role")
        ),
        comment="What an order has to say, raised once for each order, milestone, rung, due version and role.",
    )
    op.create_index(
        "ix_notices_repeated", "notices", ["role"], unique=False, postgresql_where=sa.text("holds AND repeat > 0")
    )
    op.create_index(
        "ix_notices_untold", "notices", ["id"], unique=False, postgresql_where=sa.text("holds AND told = 0")
    )
    op.create_table(
        "chases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("milestone", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rung", sa.Text(), server_default="", nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_no"], ["orders.order_no"], name=op.f("fk_chases_order_no")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chases")),
        comment="Every turn of every chase, with who and when; the last row of an order and milestone holds.",
    )
    op.create_index("ix_chases_order_no_milestone_id", "chases", ["order_no", "milestone", "id"], unique=False)
    op.create_table(
        "channels",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channels")),
        comment="Addresses that did not answer, and until when they are left alone.",
    )
    op.create_table(
        "message_notices",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_message_notices_message_id")),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_message_notices_notice_id")),
        sa.PrimaryKeyConstraint("message_id", "notice_id", name=op.f("pk_message_notices")),
        comment="Which notices a message was made of.",
    )
    op.create_index("ix_message_notices_notice_id", "message_notices", ["notice_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_deliveries_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("message_id", "channel", name=op.f("uq_deliveries_message_id_channel")),
        comment="One message on its way to one address, which is known by a fingerprint alone.",
    )
    op.create_index("ix_deliveries_channel_attempted_at", "deliveries", ["channel", "attempted_at"], unique=False)
    op.create_index(
        "ix_deliveries_next_attempt_at",
        "deliveries",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL AND dead_at IS NULL"),
    )
    # What was said so far is a notice each, told by the message that it was.
    op.execute("""
        INSERT INTO notices (order_no, milestone, rung, due, role, manner, meant_for, raised_at, told, told_at)
        SELECT order_no, milestone, rung, due, recipient, 'direct', claimed_at, claimed_at, 1, claimed_at
        FROM messages ORDER BY id
    """)
    op.execute("""
        INSERT INTO message_notices (message_id, notice_id)
        SELECT m.id, n.id FROM messages m JOIN notices n
        ON (n.order_no, n.milestone, n.rung, n.due) = (m.order_no, m.milestone, m.rung, m.due)
    """)
    op.add_column("messages", sa.Column("kind", sa.Text(), server_default="direct", nullable=False))
    op.add_column("messages", sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("messages", sa.Column("slot", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("made_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("thread", sa.Text(), server_default="", nullable=False))
    op.add_column("messages", sa.Column("short", sa.Text(), server_default="", nullable=False))
    op.add_column("messages", sa.Column("html", sa.Text(), server_default="", nullable=False))
    op.add_column("messages", sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("""
        UPDATE messages SET made_at = claimed_at, tags = array_remove(ARRAY[person, recipient], ''),
        person = CASE person WHEN '' THEN recipient ELSE person END
    """)
    for column in ("tags", "made_at"):
        op.alter_column("messages", column, nullable=False)
    for column in ("kind", "person"):
        op.alter_column("messages", column, server_default=None)
    op.alter_column("messages", "order_no", nullable=True)
    op.drop_index("ix_messages_next_attempt_at", table_name="messages")
    op.drop_constraint("uq_messages_order_no_milestone_rung_due", "messages", type_="unique")
    for column in ("milestone", "rung", "due", "recipient", "claimed_at", "attempts", "next_attempt_at"):
        op.drop_column("messages", column)
    op.create_index(
        "ix_messages_open",
        "messages",
        ["id"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL AND dead_at IS NULL"),
    )
    op.create_index("ix_messages_order_no", "messages", ["order_no", "id"], unique=False)
    op.create_index("ix_messages_person_made_at", "messages", ["person", "made_at"], unique=False)
    op.create_index(
        "uq_messages_person_slot",
        "messages",
        ["person", "slot"],
        unique=True,
        postgresql_where=sa.text("slot IS NOT NULL"),
    )
    op.create_table_comment(
        "messages",
        "The outbox: what one person is told at a time, made of one notice or of many.",
        existing_comment=WAS,
        schema=None,
    )
    op.create_table_comment(
        "terms",
        "What an order is followed by: its template and policy as they were when it came in.",
        existing_comment="What an order is followed by: its template and ladder as they were when it came in.",
        schema=None,
    )
    op.execute("""
        UPDATE terms SET body = (body - 'ladder') || jsonb_build_object('policy', body -> 'ladder')
        WHERE body ? 'ladder'
    """)
    op.execute("""
        UPDATE terms
        SET body = jsonb_set(body #- '{template,ladder}', '{template,policy}', body #> '{template,ladder}')
        WHERE body -> 'template' ? 'ladder'
    """)


def downgrade() -> None:
    """Take the database one step back: what was told in a digest is a message of its own again."""
    op.execute("""
        UPDATE terms SET body = (body - 'policy') || jsonb_build_object('ladder', body -> 'policy')
        WHERE body ? 'policy'
    """)
    op.execute("""
        UPDATE terms
        SET body = jsonb_set(body #- '{template,policy}', '{template,ladder}', body #> '{template,policy}')
        WHERE body -> 'template' ? 'policy'
    """)
    op.rename_table("messages", "messages_0003")
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
    )
    op.execute("""
        INSERT INTO messages (order_no, milestone, rung, due, recipient, claimed_at, subject, body, delivered_at, error)
        SELECT DISTINCT ON (n.order_no, n.milestone, n.rung, n.due) n.order_no, n.milestone, n.rung, n.due, n.role,
        n.raised_at, coalesce(m.subject, n.order_no), coalesce(m.body, n.milestone), m.delivered_at,
        coalesce(m.error, '') FROM notices n LEFT JOIN message_notices mn ON mn.notice_id = n.id
        LEFT JOIN messages_0003 m ON m.id = mn.message_id
        ORDER BY n.order_no, n.milestone, n.rung, n.due, n.id, m.id
    """)
    for table in ("deliveries", "message_notices", "channels", "chases", "notices", "messages_0003"):
        op.drop_table(table)
    op.create_primary_key("pk_messages", "messages", ["id"])
    op.create_foreign_key("fk_messages_order_no", "messages", "orders", ["order_no"], ["order_no"])
    op.create_unique_constraint(
        "uq_messages_order_no_milestone_rung_due", "messages", ["order_no", "milestone", "rung", "due"]
    )
    op.create_index(
        "ix_messages_next_attempt_at", "messages", ["next_attempt_at"], postgresql_where=sa.text("delivered_at IS NULL")
    )
