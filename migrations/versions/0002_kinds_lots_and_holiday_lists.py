"""Kinds of orders, lots of an order, and the official holidays that were loaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WAS = "Orders as they were placed. Never changed: what happens to them stands in the log."
IS = "Orders as they were placed. Only their terms change, and the log says when; all else stands in the log."


def upgrade() -> None:
    """Take the database one step forward."""
    op.add_column("orders", sa.Column("kind", sa.Text(), server_default="export", nullable=False))
    op.add_column("orders", sa.Column("parent", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_orders_parent"), "orders", "orders", ["parent"], ["order_no"])
    op.create_index(
        "ix_orders_parent", "orders", ["parent"], unique=False, postgresql_where=sa.text("parent IS NOT NULL")
    )
    op.create_table_comment("orders", IS, existing_comment=WAS)
    op.create_table(
        "calendar_lists",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("official", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("holidays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("workdays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_lists")),
        comment="Official holidays of a year, as they were loaded; the last row of a list and year holds.",
    )


def downgrade() -> None:
    """Take the database one step back."""
    op.drop_table("calendar_lists")
    op.create_table_comment("orders", WAS, existing_comment=IS)
    op.drop_index("ix_orders_parent", table_name="orders", postgresql_where=sa.text("parent IS NOT NULL"))
    op.drop_constraint(op.f("fk_orders_parent"), "orders", type_="foreignkey")
    op.drop_column("orders", "parent")
    op.drop_column("orders", "kind")
