"""Strategies of orders in the midst of their season: templates, calendars, and logs in which anything may stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from models.book.changes import Amendment, Booking, CreditAdvised, CustomsReceipt, Hold, Reschedule, Resume
from models.book.entry import Entry
from models.book.order import Etd, Order
from models.book.order_file import OrderFile
from models.book.report import Classifier, Outcome, Promise, Report
from models.calendars.workdays import Calendar
from models.terms.credit import Credit
from models.terms.customs import CustomsState
from models.terms.milestone import Milestone, Rounds, Takes
from models.terms.template import Template
from tests.factories import CHINA, a_calendar, a_milestone, a_policy, a_template, an_order

AHEAD = ("FAB_IN", "CUT_START", "SEW_END", "PACK_DONE", "FRI_PASS", "SI_SUB", "GATE_IN", "CUS_DECL", "CUS_REL")
BEHIND = ("BL_ISSUED", "DOCS_SET", "LC_PRESENT", "PAID")
CUTOFFS = {"SI_SUB": "SI", "GATE_IN": "CY", "CUS_REL": "CUSTOMS"}
CODES = ("office", "factory", "port", "bank", "new-york")

OFFICE = a_calendar(holidays=frozenset({date(2026, 9, 25), *(date(2026, 10, day) for day in range(1, 8))}))
FACTORY = a_calendar(
    code="factory",
    weekend=frozenset({7}),
    capacity={date(2026, 12, day): 0.5 for day in range(1, 32) if date(2026, 12, day).isoweekday() != 7},
)
PORT = a_calendar(code="port", weekend=frozenset())
BANK = a_calendar(code="bank", holidays=frozenset({date(2026, 12, 25), date(2026, 12, 31)}))
NEW_YORK = a_calendar(code="new-york", zone="America/New_York")
CALENDARS = {calendar.code: calendar for calendar in (OFFICE, FACTORY, PORT, BANK, NEW_YORK)}

SECONDS = st.integers(0, 86399)
DAYS = st.integers(0, 12)


# Made once: to make a strategy anew for each draw takes longer than the draw.
TAKES = st.sampled_from([Takes(likely=n / 2, pessimistic=n / 2 + m) for n in range(13) for m in (0, 1, 5)])
SELDOM_TAKES = st.sampled_from([*[Takes()] * 7, Takes(likely=1, pessimistic=2)])
CALENDAR = st.sampled_from(CODES)
OFFSET = st.integers(-40, -1)
OFFSET_BEHIND = st.integers(0, 25)
STEPS_AHEAD = st.sets(st.sampled_from(AHEAD), min_size=1).map(lambda codes: sorted(codes, key=AHEAD.index))
STEPS_BEHIND = st.sets(st.sampled_from(BEHIND), max_size=3).map(lambda codes: sorted(codes, key=BEHIND.index))
YES_OR_NO = st.booleans()
SOME = st.sets(st.integers(0, 12), max_size=3)


@st.composite
def templates(
    draw: st.DrawFn,
    *,
    squeezes: bool = False,
    sails_every: Sequence[int | None] = (None, 3, 7),
    loading: st.SearchStrategy[str] = CALENDAR,
) -> Template:
    """
    Give templates of a few steps before the loading, the loading, the departure and a few steps after it.

    `loading` is on whose calendar the loading and the departure stand.
    """
    ahead, behind = draw(STEPS_AHEAD), draw(STEPS_BEHIND)
    codes = [*ahead, *(["ONBOARD"] if draw(YES_OR_NO) else []), "DEPARTED", *behind]
    left = codes.index("DEPARTED")
    offsets = [
        *sorted(draw(OFFSET) for _ in ahead),
        *(0 for _ in codes[len(ahead) : left + 1]),
        *sorted(draw(OFFSET_BEHIND) for _ in behind),
    ]
    milestones: list[Milestone] = []
    for number, code in enumerate(codes):
        before = codes[:number] if number <= left else codes[left:number]
        after = some(draw, before)
        if code == "DEPARTED":
            after = tuple(dict.fromkeys([*after, codes[left - 1]]))
        elif number > left and not after:
            after = ("DEPARTED",)
        rounds = Rounds(takes=draw(TAKES), reopens=some(draw, before)) if draw(YES_OR_NO) else None
        milestones.append(
            a_milestone(
                code,
                offset=offsets[number],
                after=after,
                calendar=draw(loading if code in ("ONBOARD", "DEPARTED") else CALENDAR),
                takes=draw(SELDOM_TAKES if code in ("ONBOARD", "DEPARTED") else TAKES),
                cutoff=CUTOFFS.get(code, ""),
                counted=code == "SEW_END",
                rounds=rounds,
            )
        )
    return a_template(
        *milestones,
        departure="DEPARTED",
        follow_to=codes[-1],
        sails_every=draw(st.sampled_from(sails_every)),
        shortest=14 if squeezes else None,
    )


def some(draw: st.DrawFn, codes: Sequence[str]) -> tuple[str, ...]:
    """Draw up to three of these codes."""
    chosen = draw(SOME)
    return tuple(code for number, code in enumerate(codes) if number in chosen)


GENERAL = templates()


class Season(NamedTuple):
    """An order's file and the moment at which it is looked at."""

    file: OrderFile
    now: datetime

    def __repr__(self) -> str:
        """Say what counts: a file's own words fill pages."""
        steps = [
            (m.code, m.offset, m.after, m.calendar, m.takes.likely, m.takes.pessimistic, m.cutoff, m.rounds)
            for m in self.file.template.milestones
        ]
        order, template = self.file.order, self.file.template
        told = "\n  ".join(repr(entry) for entry in self.file.entries)
        return (
            f"<placed {order.placed_at}, ETD {order.etd}, window {order.ship_by}, cancel {order.cancel_after}, "
            f"sails every {template.sails_every}, shortest {template.shortest}, now {self.now}\n  {steps}\n  {told}>"
        )

    def with_entries(self, *entries: Entry) -> Season:
        """Return this season with another log."""
        return self._replace(file=replace(self.file, entries=tuple(entries)))

    def told(self, *entries: Entry) -> Season:
        """Return this season with more in its log."""
        return self.with_entries(*numbered((*self.file.entries, *entries)))


def numbered(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return entries as a log has them: in the order of their telling, each with its line."""
    told = sorted(entries, key=lambda entry: entry.recorded_at)
    return tuple(entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(told, start=1))


AUTUMN = date(2026, 10, 10)
"""The first ETD of the seasons that do not say another."""


@st.composite
def seasons(
    draw: st.DrawFn,
    template: st.SearchStrategy[Template] = GENERAL,
    *,
    first_etd: date = AUTUMN,
    calendars: Mapping[str, Calendar] = CALENDARS,
    most: int = 12,
) -> Season:
    """Give orders with ETDs in two months, looked at at any moment, with anything in their logs up to then."""
    of = draw(template)
    order = draw(orders(of, first_etd))
    lead = timedelta(days=of.lead_days + 20)
    now = order.placed_at + draw(st.integers(0, int(lead.total_seconds()))) * timedelta(seconds=1)
    entries = draw(st.lists(entries_of(of, order, now), max_size=most))
    file = OrderFile(order, of, a_policy(), calendars)
    return Season(file, now).with_entries(*numbered([*entries, *draw(holds(order, now))]))


@st.composite
def orders(draw: st.DrawFn, template: Template, first_etd: date = AUTUMN) -> Order:
    """Give orders with an ETD, a day or an instant, and perhaps a ship window and a cancel date."""
    ship_day = first_etd + timedelta(days=draw(st.integers(0, 60)))
    placed_on = ship_day - timedelta(days=max(1, template.lead_days - draw(st.integers(-5, 15))))
    placed_at = datetime.combine(placed_on, time(10), CHINA)
    end = st.none() | st.integers(0, 10).map(lambda days: ship_day + timedelta(days=days))
    return an_order(
        placed_at=placed_at, came_in=placed_at, etd=draw(etds(ship_day)), ship_by=draw(end), cancel_after=draw(end)
    )


def etds(day: date) -> st.SearchStrategy[Etd]:
    """Give ETDs on a day: the day itself, or an instant of it."""
    return st.just(day) | SECONDS.map(lambda s: datetime.combine(day, time(), CHINA) + timedelta(seconds=s))


@st.composite
def instants(draw: st.DrawFn, first: datetime, last: datetime) -> datetime:
    """Give instants in whole seconds from `first` to `last`."""
    return first + timedelta(seconds=draw(st.integers(0, max(0, int((last - first).total_seconds())))))


def entries_of(template: Template, order: Order, now: datetime) -> st.SearchStrategy[Entry]:
    """Give entries that were told of an order by `now`."""
    return st.one_of(
        reports(template, order, now),
        estimates(template, order, now),
        promises(template, order, now),
        bookings(template, order, now),
        credits_advised(template, order, now),
        receipts(template, order, now),
        amendments(template, order, now),
        reschedules(template, order, now),
    )


@st.composite
def reports(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> Report:
    """Give reports of what happened: done, in part or whole, failed, or begun."""
    at = draw(instants(order.placed_at, now))
    outcome = draw(st.sampled_from([Outcome.DONE, Outcome.DONE, Outcome.FAILED, Outcome.STARTED]))
    return Report(
        recorded_at=draw(instants(at, now)),
        occurred_at=at,
        milestone=draw(st.sampled_from(template.codes)),
        outcome=outcome,
        quantity=draw(st.sampled_from([None, 1200, 3600])) if outcome is Outcome.DONE else None,
    )


def _given_at(order: Order) -> st.SearchStrategy[datetime]:
    return instants(order.placed_at, order.placed_at + timedelta(days=90))


@st.composite
def estimates(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> Report:
    """Give estimates of what is to come."""
    return Report(
        recorded_at=draw(instants(order.placed_at, now)),
        occurred_at=draw(_given_at(order)),
        milestone=draw(st.sampled_from(template.codes)),
        classifier=Classifier.EST,
    )


@st.composite
def promises(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> Promise:
    """Give promises, kept or not."""
    return Promise(
        recorded_at=draw(instants(order.placed_at, now)),
        promised=draw(_given_at(order)),
        milestone=draw(st.sampled_from(template.codes)),
    )


def _ship_day(order: Order) -> date:
    assert order.etd is not None
    return order.etd.astimezone(CHINA).date() if isinstance(order.etd, datetime) else order.etd


@st.composite
def bookings(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> Booking:
    """Give bookings, with cut-offs in any order, for the order's ETD or a day near it."""
    day = _ship_day(order) + timedelta(days=draw(st.integers(-2, 9)))
    midnight = datetime.combine(day, time(), CHINA)
    hours = st.integers(-24 * 6, 6)
    return Booking(
        recorded_at=draw(instants(order.placed_at, now)),
        etd=draw(etds(day)),
        cutoffs={
            code: midnight + timedelta(hours=draw(hours))
            for code in draw(st.sets(st.sampled_from(["SI", "CY", "CUSTOMS"])))
        },
        sailings=tuple(day + timedelta(days=n) for n in draw(st.lists(st.integers(1, 20), max_size=3))),
        sails_every=draw(st.sampled_from([None, 7])),
    )


@st.composite
def credits_advised(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> CreditAdvised:
    """Give letters of credit."""
    latest = _ship_day(order) + timedelta(days=draw(st.integers(-2, 10)))
    return CreditAdvised(
        recorded_at=draw(instants(order.placed_at, now)),
        credit=Credit(
            latest_shipment=latest,
            expiry=latest + timedelta(days=draw(st.integers(0, 25))),
            presentation_days=draw(st.sampled_from([None, 3, 10])),
        ),
    )


@st.composite
def receipts(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> CustomsReceipt:
    """Give answers of customs."""
    at = draw(instants(order.placed_at, now))
    state = draw(st.sampled_from(CustomsState))
    return CustomsReceipt(
        recorded_at=draw(instants(at, now)), occurred_at=at, letter=state.value, state=state, takes=draw(TAKES)
    )


@st.composite
def amendments(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> Amendment:
    """Give amendments that undo steps, or move the ship window and the quantity."""
    return Amendment(
        recorded_at=draw(instants(order.placed_at, now)),
        undoes=tuple(draw(st.lists(st.sampled_from(template.codes), max_size=2, unique=True))),
        quantity=draw(st.sampled_from([2400, 4000])),
        ship_by=_ship_day(order) + timedelta(days=draw(st.integers(-3, 14))),
    )


@st.composite
def reschedules(draw: st.DrawFn, template: Template, order: Order, now: datetime) -> Reschedule:
    """Give other ETDs."""
    day = _ship_day(order) + timedelta(days=draw(st.integers(-7, 14)))
    return Reschedule(recorded_at=draw(instants(order.placed_at, now)), etd=draw(etds(day)))


@st.composite
def holds(draw: st.DrawFn, order: Order, now: datetime) -> list[Entry]:
    """Give no hold, one that ended, or one that lasts; with or without a day on which it is expected to end."""
    if not draw(st.booleans()):
        return []
    since = draw(instants(order.placed_at, now))
    until = draw(st.none() | st.integers(0, 20).map(lambda days: since.date() + timedelta(days=days)))
    ended: list[Entry] = [Resume(recorded_at=draw(instants(since, now)))] if draw(st.booleans()) else []
    return [Hold(recorded_at=since, until=until), *ended]
