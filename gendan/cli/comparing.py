"""What several policies did in one season, side by side in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Column, Table

from gendan.cli.app import as_it_is, out, print_table
from models.seasons.judged import Comparison, Figures, PersonLoad, Spread

KINDS = {"L1": "L1 or above", "L2": "L2 or above, or an alarm", "alarm": "an alarm"}


def print_comparison(comparison: Comparison) -> None:
    """Print the figures of each policy in a column of its own, then what each person got."""
    first, last = (f"{instant:%Y-%m-%d}" for instant in (comparison.began, comparison.ended))
    answered = comparison.answers_within
    whose = f", everybody answering within {_days(answered)}" if answered is not None else ""
    out.print(f"{comparison.policies[0].orders} orders from {first} to {last}{whose}")
    print_table(_figures(comparison.policies))
    out.print()
    print_table(_people(comparison.policies))


def _days(number: int) -> str:
    return "a working day" if number == 1 else f"{number} working days"


def _figures(policies: tuple[Figures, ...]) -> Table:
    names = (Column(as_it_is(policy.policy), justify="right") for policy in policies)
    table = Table(Column("", overflow="fold"), *names, box=None, pad_edge=False)
    rungs = sorted({rung for policy in policies for rung in policy.told_of}, key=_place)
    for lines in zip(*(_lines(policy, rungs) for policy in policies), strict=True):
        table.add_row(lines[0][0], *(figure for _, figure in lines))
    return table


def _lines(figures: Figures, rungs: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what each line is about, and this policy's figure in it."""
    for rung in rungs:
        yield f"{rung}: due dates told of (notices)", f"{figures.told_of.get(rung, 0)} ({figures.notices.get(rung, 0)})"
    yield "messages", str(figures.messages)
    yield "messages per order: mean, p95, max", _spread(figures.per_order)
    yield "  without the digests", _spread(figures.own_per_order)
    yield "messages per person-day: mean, p95, max", _spread(figures.per_person_day)
    yield "messages above L1 per stall that had one", _spread(figures.above_first)
    yield "  stalls with more than one", str(figures.more_than_once)
    for kind, warned in figures.first_warning.items():
        days = "-" if warned.days is None else f"{warned.days:.1f}"
        yield f"days from the first warning ({KINDS[kind]}) to a late departure, median", days
        yield f"  late departures without {KINDS[kind]}", f"{warned.without} of {warned.late}"
    warnings = figures.warnings
    yield "warnings above L1, orders that left late", str(warnings.late)
    yield "  orders that left in time (false alarms)", str(warnings.on_time)
    yield "  false alarms, share", "-" if warnings.in_vain is None else f"{warnings.in_vain:.0%}"
    yield "  orders that have not left", str(warnings.open)


def _place(rung: str) -> tuple[int, int, str]:
    """Sort rungs as they come: reminders from far to near, the ladder upwards, the clock track, what is no stall."""
    family = next((n for n, letter in enumerate("RLT") if rung.startswith(letter)), 3)
    number = int(rung.lstrip("RLT-") or 0) if family < 3 else 0
    return family, number if family == 1 else -number, rung


def _people(policies: tuple[Figures, ...]) -> Table:
    titles = ("Policy", "Digests", "Direct", "Urgent", "Per day: mean, p95, max")
    table = Table(
        Column("Person", no_wrap=True),
        *(Column(title, justify="left" if title == "Policy" else "right") for title in titles),
        box=None,
        pad_edge=False,
    )
    loads = [{load.person: load for load in policy.people} for policy in policies]
    for person in sorted({code for load in loads for code in load}):
        for policy, load in zip(policies, loads, strict=True):
            table.add_row(as_it_is(person), as_it_is(policy.policy), *_load(load.get(person)))
    return table


def _load(load: PersonLoad | None) -> tuple[str, str, str, str]:
    if load is None:
        return "0", "0", "0", _spread(Spread())
    return str(load.digests), str(load.direct), str(load.urgent), _spread(load.per_day)


def _spread(spread: Spread) -> str:
    return f"{spread.mean:.2f}  {spread.p95:.0f}  {spread.max:.0f}"
