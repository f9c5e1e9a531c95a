"""Moving a running order to today's version of its template: what it keeps, what changes, and when it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote

from pydantic import ValidationError

from models.book.order import OrderState
from models.book.order_file import OrderFile
from models.book.report import Classifier
from models.errors import Refused
from models.status.progress import valid_reports
from models.status.standing import standing
from models.terms.policy import Policy
from models.terms.template import Template


@dataclass(frozen=True)
class Moved:
    """A step that is not done and planned for another date: the due instants before and after."""

    code: str
    was: datetime
    now: datetime


@dataclass(frozen=True)
class Migration:
    """
    What changes for an order that is moved to today's version of its template.

    `added` and `removed` are milestones, each with the instant at which it is due; none while the order has no ETD.
    """

    order_no: str
    template: Template
    policy: Policy
    from_version: int
    added: Mapping[str, datetime | None]
    removed: Mapping[str, datetime | None]
    moved: tuple[Moved, ...]
    other_policy: bool


def carried_over(running: Template, today: Template, usual_calendars: Mapping[str, str]) -> Template:
    """
    Return `today`, the library's version of a template, with what an order that runs by `running` had chosen of it.

    It is followed as far as before. An optional milestone that the order does not have stays out, and its own
    parties keep their days (`usual_calendars` are those that the parties work by otherwise). Raises ValueError where
    that cannot be had of today's version.
    """
    left_out = [m.code for m in today.milestones if m.optional and m.code not in running.by_code]
    own: dict[str, str] = {}
    for milestone in today.milestones:
        party = milestone.waiting_on[0] if milestone.waiting_on else ""
        before = running.by_code.get(milestone.code)
        if before is not None and milestone.calendar == usual_calendars.get(party) != before.calendar:
            own[party] = before.calendar
    return today.followed_to(running.follow_to).without(left_out).on_calendars(own, usual_calendars)


def migration(
    file: OrderFile, today: Template, policy: Policy, usual_calendars: Mapping[str, str], now: datetime
) -> Migration | None:
    """
    Return what moving an order to `today` and `policy` changes; `None` where it is followed by these already.

    Raises Refused for an order that is not followed any more, one whose choice today's version does not offer, and one
    of which a step was reported that today's version does not have.
    """
    order_no = file.order.order_no
    at = standing(file, now)
    if at.state.is_over or at.state is OrderState.NOT_FOLLOWED:
        raise Refused(f"Order {order_no} is {at.state.value.replace('_', ' ')}: it keeps the template that it has.")
    try:
        template = carried_over(file.template, today, usual_calendars)
    except ValueError as error:
        raise Refused(
            f"Order {order_no} cannot be moved to today's {today.code}: {_reason(error)}. It keeps its template; to "
            "move it, give the template in the library what the order needs."
        ) from None
    if (template, policy) == (file.template, file.policy):
        return None
    _must_have_what_was_told(file, template)
    will = standing(replace(file, template=template, policy=policy), now)
    return Migration(
        order_no=order_no,
        template=template,
        policy=policy,
        from_version=file.template.version,
        added={code: will.due.get(code) for code in template.codes if code not in file.template.by_code},
        removed={code: at.due.get(code) for code in file.template.codes if code not in template.by_code},
        moved=tuple(
            Moved(code, at.due[code], due)
            for code, due in will.due.items()
            if code in at.due and code not in will.done and due != at.due[code]
        ),
        other_policy=policy != file.policy,
    )


def _must_have_what_was_told(file: OrderFile, template: Template) -> None:
    told = {r.milestone for r in valid_reports(file.entries) if r.classifier is Classifier.ACT}
    if lost := sorted(told - template.by_code.keys()):
        order_no = file.order.order_no
        raise Refused(
            f"Order {order_no} cannot be moved to today's {template.code}: {', '.join(lost)} "
            f"{'was' if len(lost) == 1 else 'were'} reported, and {template.code} version {template.version} does not "
            f"have {'it' if len(lost) == 1 else 'them'}. It keeps its template; was a report wrong, take it back: "
            f"`gendan report {quote(order_no)} {lost[0]} --withdraw LINE`."
        )


def _reason(error: ValueError) -> str:
    """Return what a template refuses, without pydantic's frame around it."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(str(complaint.get("ctx", {}).get("error", complaint["msg"])) for complaint in error.errors())
