"""Choosing what an order is followed by: its template, on the days of its own buyer and factory."""

from __future__ import annotations

from models.accepting.intake import Accepted, Asked
from models.errors import NoTemplateFits
from models.terms.template import Template
from models.terms.tolerance import Tolerance
from tasks.library import Library, choose_template
from tasks.marked_yaml import did_you_mean


def template_for(library: Library, asked: Asked) -> Template:
    """
    Return the template that is asked for, on the calendars of this order's parties.

    The buyer works by his customer's calendar, if customers.yaml names one; what the order itself names goes before.
    Raises NoTemplateFits for a template, party or calendar that is not there.
    """
    template = choose_template(library, asked.code, asked.lead_days, customer=asked.customer, kind=asked.kind)
    if template.kind is not asked.kind:
        raise NoTemplateFits(f"Template {template.code} is for {template.kind.value}, and this is {asked.kind.value}.")
    for party, calendar in asked.calendars.items():
        if party not in library.parties:
            raise NoTemplateFits(f"There is no party {party!r}{did_you_mean(party, library.parties)}.")
        if calendar not in library.calendars:
            raise NoTemplateFits(f"There is no calendar {calendar!r}{did_you_mean(calendar, library.calendars)}.")
    customer = library.customer(asked.customer)
    buyers = {"BUYER": customer.calendar} if customer is not None and customer.calendar else {}
    return template.on_calendars({**buyers, **asked.calendars}, library.usual_calendars)


def with_customers_terms(library: Library, accepted: Accepted) -> Accepted:
    """Return an order with what holds for its customer, tolerance and tier, where the order itself does not say."""
    order, customer = accepted.order, library.customer(accepted.order.customer)
    if customer is None:
        return accepted
    usual = {
        "tolerance": order.tolerance or (Tolerance.parse(customer.tolerance) if customer.tolerance else None),
        "tier": order.tier or customer.tier,
    }
    return Accepted(order.model_copy(update=usual), accepted.template)
