"""
The order's run in Prefect, as operations see it: its milestones as bars, its badge, tags, form and sheet.

Writes only what changed. What was written is remembered in the follow-up (`page`), so that a wake-up costs the
same on day 1 and on day 90.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from prefect import Task, get_run_logger, task
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.objects import FlowRun, State, StateDetails, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.input.run_input import keyset_from_base_key
from slugify import slugify

from models.book.order_file import OrderFile
from models.status.standing import Standing
from notifications.badges import Badge, badge, bar_name, bar_state, tags
from notifications.sheet import sheet
from tasks.answers import form_schema
from tasks.library import library
from tasks.orders import FollowUp
from tasks.settings import settings

FORM = "answer-"
"""How the keys of forms and of the answers to them begin."""
INPUTS = 20
"""More than a run ever holds: one form, and an answer to it."""


@task(name="milestone", task_run_name="{milestone}", persist_result=False)
def milestone_bar(milestone: str) -> str:
    """Stand for a milestone that is waited for: its run is opened and closed by hand and never executed."""
    return milestone


_MILESTONE: Task[Any, Any] = milestone_bar


class RunPage:
    """What Prefect shows of one order, brought up to date piece by piece."""

    def __init__(self, client: PrefectClient, flow_run: FlowRun, follow_up: FollowUp) -> None:
        self.client = client
        self.flow_run_id = flow_run.id
        self.page: dict[str, Any] = dict(follow_up.page)
        # Prefect counts no attempt where a run is resumed, and we none that was cut off: a key of both seldom repeats.
        # If one does, the pause is refused, and the watch wakes the order again with a policy that is empty.
        self._pause = f"{flow_run.run_count}-{follow_up.wakes}"
        self._answered: list[str] = []
        self._bars: dict[str, str] = dict(self.page.get("bars", {}))

    async def bring_up_to_date(self, file: OrderFile, at: Standing) -> None:
        """Write the bars' names, the tags, the sheet and the form, where they changed."""
        await self.name_bars(file, at)
        await self.set_tags(file, at)
        await self.put_sheet(file, at)
        if at.state.is_over:
            await self.take_form_away()
        else:
            await self.put_form(file, at)

    async def show_milestone(self, file: OrderFile, at: Standing, code: str, appearance: str) -> None:
        """
        Open, recolour or close a milestone's bar: one API call.

        The milestone is the task run's dynamic key: opening the same bar twice gives the same bar.
        """
        kind, name = bar_state(appearance, settings().language)
        get_run_logger().info("%s %s: %s", code, _step_name(file, code), name)
        state: State[None] = State(type=StateType(kind), name=name)
        if code in self._bars:
            try:
                await self.client.set_task_run_state(UUID(self._bars[code]), state, force=True)
                return
            except ObjectNotFound:
                del self._bars[code]  # the bar was deleted by hand: open another
        task_run = await self.client.create_task_run(
            _MILESTONE, self.flow_run_id, dynamic_key=code, name=_bar_name(file, at, code), state=state
        )
        if task_run.state is None or (task_run.state.type, task_run.state.name) != (state.type, state.name):
            # Opened by a wake-up that was cut off before it had written that down.
            await self.client.set_task_run_state(task_run.id, state, force=True)
        self._bars[code] = str(task_run.id)
        self.page["bars"] = self._bars
        self.page["bar_names"] = {**self.page.get("bar_names", {}), code: task_run.name}

    async def name_bars(self, file: OrderFile, at: Standing) -> None:
        """Give the open milestones' bars their present due dates: one API call for each that moved."""
        known = self.page.get("bar_names", {})
        names = {code: _bar_name(file, at, code) for code in at.open if code in self._bars}
        for code, name in names.items():
            if known.get(code) != name:
                await self._rename_bar(self._bars[code], name)
        if names != known:
            self.page["bar_names"] = names

    async def _rename_bar(self, task_run_id: str, name: str) -> None:
        try:
            await self.client.request("PATCH", "/task_runs/{id}", path_params={"id": task_run_id}, json={"name": name})
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            # deleted by hand

    async def set_tags(self, file: OrderFile, at: Standing) -> None:
        """Bring the run's tags and name up to date: one API call if they changed."""
        wanted = tags(file, at)
        if self.page.get("tags") != wanted:
            await self.client.update_flow_run(self.flow_run_id, name=file.order.order_no, tags=wanted)
            self.page["tags"] = wanted

    async def put_sheet(self, file: OrderFile, at: Standing) -> None:
        """Bring the order's sheet up to date, in place: one API call if it changed."""
        text = sheet(file, at, library().parties, settings().language)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self.page.get("sheet") == digest:
            return
        if "artifact" in self.page:
            try:
                await self.client.update_artifact(UUID(self.page["artifact"]), ArtifactUpdate(data=text))
                self.page["sheet"] = digest
                return
            except PrefectHTTPStatusError as error:
                if error.response.status_code != HTTPStatus.NOT_FOUND:
                    raise
                # deleted by hand: make another
        artifact = await self.client.create_artifact(
            ArtifactCreate(
                key=sheet_key(file.order.order_no),
                type="markdown",
                description=f"{file.order.order_no} {file.order.customer}".strip(),
                data=text,
                flow_run_id=self.flow_run_id,
            )
        )
        self.page["artifact"] = str(artifact.id)
        self.page["sheet"] = digest

    @property
    def keyset(self) -> dict[str, str] | None:
        """The names under which the Resume form and its answer are kept, if there is a form."""
        if "form" not in self.page:
            return None
        return {str(name): key for name, key in keyset_from_base_key(self.page["form"]).items()}

    async def put_form(self, file: OrderFile, at: Standing) -> None:
        """Offer the Resume form for what is open now: two API calls if that changed, else none."""
        schema = form_schema(file, at, settings().language)
        digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:12]
        key = f"{FORM}{digest}"
        if self.page.get("form") == key:
            return
        old = self.keyset
        await self._create_input(keyset_from_base_key(key)["schema"], schema)
        self.page["form"] = key
        if old is not None:
            await self._delete_input(old["schema"])

    async def take_form_away(self) -> None:
        """Offer no form any more: nothing is asked of an order that is over."""
        if self.keyset is not None:
            await self._delete_input(self.keyset["schema"])
            del self.page["form"]

    async def read_answer(self) -> dict[str, Any] | None:
        """
        Return what a person answered in the Resume form, or `None`.

        Asks for an answer to any form, not to the one that `page` remembers: a wake-up that was cut off between
        pausing the run and writing that down has left the form of the pause and the page of the time before.
        """
        inputs = await self.client.filter_flow_run_input(self.flow_run_id, FORM, INPUTS, set())
        answers = [given for given in inputs if given.key.endswith("-response")]
        if not answers:
            return None
        self._answered = [given.key for given in answers]
        answer = answers[-1].decoded_value
        return answer if isinstance(answer, dict) else {"milestone": str(answer)}

    async def drop_answer(self) -> None:
        """Forget the answer once it is recorded: a key can only be answered again when it is free."""
        for key in self._answered:
            await self._delete_input(key)
        self._answered = []

    async def _create_input(self, key: str, value: Mapping[str, Any]) -> None:
        try:
            await self.client.create_flow_run_input(self.flow_run_id, key, json.dumps(value))
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 409:
                raise
            # There already: a wake-up was cut off between saving the form and writing that down.

    async def _delete_input(self, key: str) -> None:
        try:
            await self.client.delete_flow_run_input(self.flow_run_id, key)
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 404:
                raise

    def waiting(self, file: OrderFile, at: Standing, refusal: str | None) -> State[None]:
        """
        Return the paused state in which the order waits, named by what it waits for.

        A pause key is refused the second time, and stays in the run's policy for a while: it is short.
        """
        shown: Badge = badge(file, at, settings().language)
        message = f"{refusal} — {shown.message}" if refusal else shown.message
        return State(
            type=StateType.PAUSED,
            name=shown.name,
            message=message,
            state_details=StateDetails(pause_reschedule=True, pause_key=self._pause, run_input_keyset=self.keyset),
        )

    def ending(self, file: OrderFile, at: Standing) -> State[None]:
        """Return the completed state in which the order's run ends."""
        shown = badge(file, at, settings().language)
        return State(type=StateType.COMPLETED, name=shown.name, message=shown.message)


def sheet_key(order_no: str) -> str:
    """Return the key of an order's sheet: Prefect allows small letters, digits and dashes only."""
    slug = slugify(order_no, max_length=60)
    if slug == order_no.lower():
        return f"{slug}-sheet"
    return f"{slug}-{hashlib.sha256(order_no.encode()).hexdigest()[:6]}-sheet".lstrip("-")


def _step_name(file: OrderFile, code: str) -> str:
    """Return the name of a milestone; of one that the order's template has no more, nothing."""
    milestone = file.template.by_code.get(code)
    return milestone.name.in_(settings().language) if milestone is not None else ""


def _bar_name(file: OrderFile, at: Standing, code: str) -> str:
    if code not in file.template.by_code:
        return code
    return bar_name(file.template.by_code[code], at.due.get(code), settings().language, file.calendar)


def open_page(follow_up: FollowUp) -> RunPage:
    """Open the page of the run that is awake: to be called inside its flow."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not isinstance(context.client, PrefectClient):
        raise RuntimeError("open_page is for the inside of a flow run")
    return RunPage(context.client, context.flow_run, follow_up)
