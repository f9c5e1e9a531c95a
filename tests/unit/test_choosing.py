"""Which template an order is followed by: the one that is named, or the one for its customer and lead time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.book.order import OrderKind
from models.errors import NoTemplateFits
from models.terms.party import Customer
from models.terms.template import Template
from tasks.library import choose_template, load_library

BUNDLE = load_library()


def a_template_for(customer: str, code: str, days: int) -> Template:
    return BUNDLE.templates["AFS"].model_copy(update={"code": code, "chosen_from": days, "customers": (customer,)})


# Two templates for ACME, one of them from as many days as AFS, and one for a customer of whom nothing else is known
WITH_CUSTOMERS = replace(
    BUNDLE,
    customers={"ACME": Customer(code="ACME", name="Acme Outdoor Inc.")},
    templates={
        **BUNDLE.templates,
        "RUSH": a_template_for("ACME", "RUSH", 20),
        "SLOW": a_template_for("Acme Outdoor Inc.", "SLOW", 45),
        "B": a_template_for("BETA", "B", 45),
    },
)


@pytest.mark.parametrize(
    ("code", "lead_days", "chosen"),
    [
        ("", 7, "EAD"),  # the shortest lead time that has a template
        ("", 44, "EAD"),  # one day short of apparel
        ("", 45, "AFS"),  # the largest that is not longer than the lead time
        ("", 400, "AFS"),
        ("HCL", 3, "HCL"),  # named: the lead time does not matter
        ("HCL", None, "HCL"),  # named, and no ETD yet
        (" AFS ", 90, "AFS"),
    ],
)
def test_a_template_is_the_one_named_or_the_longest_that_fits(code: str, lead_days: int | None, chosen: str) -> None:
    assert choose_template(BUNDLE, code, lead_days).code == chosen


@pytest.mark.parametrize(
    ("code", "lead_days", "said"),
    [
        ("", 6, "lead time of 6 days. Chosen by lead time: EAD from 7 days, AFS from 45 days."),
        ("", -3, "lead time of -3 days"),  # an ETD before the order
        ("", None, "Without an ETD"),
        ("afs", 90, "There is no template 'afs' (did you mean 'AFS'?). There are: AFS, EAD, HCL, container-export."),
    ],
)
def test_an_order_that_no_template_fits_is_refused_with_what_there_is(
    code: str, lead_days: int | None, said: str
) -> None:
    with pytest.raises(NoTemplateFits) as refusal:
        choose_template(BUNDLE, code, lead_days)

    assert said in str(refusal.value)
    assert "AFS, EAD, HCL, container-export" in str(refusal.value)


def test_a_library_without_a_template_to_choose_says_so() -> None:
    none = replace(BUNDLE, templates={"HCL": BUNDLE.templates["HCL"]})

    with pytest.raises(NoTemplateFits, match="Chosen by lead time: none"):
        choose_template(none, "", 90)


@pytest.mark.parametrize(
    ("customer", "lead_days", "chosen"),
    [
        ("ACME", 90, "SLOW"),  # the customer's own before the general ones, although AFS is from 45 days, too
        ("Acme Outdoor Inc.", 44, "RUSH"),  # by code or by name
        ("acme", 20, "RUSH"),
        ("ACME", 19, "EAD"),  # none of his own fits
        ("BETA", 90, "B"),  # a customer of whom nothing else is known
        ("GAMMA", 90, "AFS"),
        ("", 90, "AFS"),
    ],
)
def test_a_customers_own_template_comes_before_the_general_ones(customer: str, lead_days: int, chosen: str) -> None:
    assert choose_template(WITH_CUSTOMERS, "", lead_days, customer=customer).code == chosen


def test_what_is_offered_says_for_whom_it_is() -> None:
    with pytest.raises(NoTemplateFits, match=r"EAD from 7 days, RUSH from 20 days \(for ACME\), AFS from 45 days"):
        choose_template(WITH_CUSTOMERS, "", 5, customer="ACME")


@pytest.mark.parametrize("lead_days", [None, 0, 30, 180])
def test_a_prospect_is_followed_by_a_template_for_prospects(lead_days: int | None) -> None:
    assert choose_template(BUNDLE, "", lead_days, kind=OrderKind.PROSPECT).code == "PROSPECT"


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (
            "PROSPECT",
            OrderKind.EXPORT,
            "Template PROSPECT is of the kind prospect, and this is of the kind export. Of that kind there are: "
            "AFS, EAD, HCL, container-export.",
        ),
        ("AFS", OrderKind.PROSPECT, "Of that kind there are: PROSPECT."),
    ],
)
def test_a_template_of_the_other_kind_is_refused(code: str, kind: OrderKind, said: str) -> None:
    with pytest.raises(NoTemplateFits) as refusal:
        choose_template(BUNDLE, code, 90, kind=kind)

    assert said in str(refusal.value)
