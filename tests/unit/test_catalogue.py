"""The milestone catalogue: 79 steps of the export trade and those of a prospect, in three languages."""

from __future__ import annotations

from itertools import chain

import pytest

from models.names import Name
from models.terms.milestone import Rounds, Takes
from tasks.library import BUNDLED, load_library
from tasks.marked_yaml import read_marked

BUNDLE = load_library()
CATALOGUE = read_marked(BUNDLED / "milestones.yaml").mapping()
PROSPECTS = {m.code for m in BUNDLE.templates["PROSPECT"].milestones}
EXPORT_STEPS = {m.code: m for code in ("AFS", "HCL", "EAD") for m in BUNDLE.templates[code].milestones}


def test_the_catalogue_holds_the_79_milestones_of_the_export_trade_and_the_8_of_a_prospect() -> None:
    assert len(CATALOGUE) == 87
    assert CATALOGUE.keys() - EXPORT_STEPS.keys() == PROSPECTS
    assert len(EXPORT_STEPS) == 79


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_milestone_of_the_catalogue_says_in_three_languages_what_closes_it_and_why_it_stalls(code: str) -> None:
    entry = CATALOGUE[code]
    for said in (entry, entry["evidence"], entry["stall"]):
        assert said["en"].isascii()
        assert said["zh_hans"]
        assert said["zh_hant"]
        # Neither set has the characters of the other: text in the wrong script cannot be put into it.
        said["zh_hans"].encode("gb2312")
        said["zh_hant"].encode("big5")


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_milestone_of_the_catalogue_says_how_long_it_takes_and_who_is_asked(code: str) -> None:
    entry = CATALOGUE[code]

    assert entry["takes"] is not None
    assert BUNDLE.parties[entry["accountable"]].internal
    assert set(entry["waiting_on"]) <= BUNDLE.parties.keys()
    assert entry["waiting_on"]


def test_each_cutoff_of_a_booking_is_met_by_one_milestone() -> None:
    assert {code: entry["cutoff"] for code, entry in CATALOGUE.items() if "cutoff" in entry} == {
        "SI_SUB": "SI",
        "VGM_SUB": "VGM",
        "GATE_IN": "CY",
        "CUS_REL": "CUSTOMS",
        "HANDOVER": "AIR_CARGO",
        "EXP_CLEAR": "AIR_CUSTOMS",
    }


def test_what_may_fail_says_what_it_reopens() -> None:
    reopened = {
        code: tuple(entry["rounds"]["reopens"])
        for code, entry in CATALOGUE.items()
        if "rounds" in entry and "reopens" in entry["rounds"]
    }

    assert reopened == {
        "LABDIP_APP": ("LABDIP_SUB",),
        "PPS_APP": ("PPS_SUB",),
        "GOLDEN_APP": ("T1_SAMPLE",),
        "FRI_PASS": ("SHIP_REL",),
        "SO_RCVD": ("BKG_REQ",),
        "CUS_DECL": ("CUS_REL",),
        "ONBOARD": ("SO_RCVD", "SI_SUB", "VGM_SUB", "CUS_DECL", "CUS_REL"),  # rolled to another vessel
        "UPLIFT": ("EXP_CLEAR",),  # offloaded
        "LC_PRESENT": ("DOCS_SET",),
        "LC_ACCEPT": ("DOCS_SET", "LC_PRESENT"),
        "SAMPLE_OK": ("SAMPLES_SENT",),
    }


def test_approvals_and_inspections_may_fail() -> None:
    approvals = {code for code in CATALOGUE if code.endswith(("_APP", "_QC", "_PASS"))} | {"TEST_OK", "CERT_OK"}

    assert {code for code in approvals if "rounds" not in CATALOGUE[code]} == set()


def test_a_template_reopens_only_what_it_has() -> None:
    afs, ead, boxes = (BUNDLE.templates[code].by_code for code in ("AFS", "EAD", "container-export"))

    assert afs["FRI_PASS"].rounds == Rounds(at_most=2, reopens=("SHIP_REL",), takes=Takes(likely=2, pessimistic=5))
    assert ead["FRI_PASS"].rounds == Rounds(at_most=2, reopens=(), takes=Takes(likely=2, pessimistic=5))
    assert boxes["ONBOARD"].rounds == Rounds(at_most=2, reopens=("SO_RCVD", "VGM_SUB"), takes=Takes(pessimistic=1))


def test_the_containers_of_the_sample_data_are_planned_and_not_foreseen() -> None:
    assert [code for code, template in BUNDLE.templates.items() if not template.foresees] == ["container-export"]


# Characters that machine conversion leaves or makes, and that no traditional text of the trade has.
@pytest.mark.parametrize("wrong", ["籤", "单", "报", "关", "舱", "装", "厂", "样", "验", "货", "证", "后", "发"])
def test_no_traditional_name_has_a_simplified_or_misconverted_character(wrong: str) -> None:
    names = [milestone.name for template in BUNDLE.templates.values() for milestone in template.milestones]
    names += [party.name for party in BUNDLE.parties.values()]
    names += [calendar.name for calendar in BUNDLE.calendars.values()]
    names += [rung.asks for policy in BUNDLE.policies.values() for rung in policy.rungs]
    names += [letter.name for letter in BUNDLE.letters.values()]
    said = chain.from_iterable((entry["evidence"], entry["stall"]) for entry in CATALOGUE.values())
    names += [Name(**text) for text in said]

    assert [name.zh_hant for name in names if wrong in name.zh_hant] == []
