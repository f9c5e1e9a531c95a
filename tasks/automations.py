"""
The watch is watched: a Prefect automation that tells the administrator when no watch completes any more.

Prefect's server is the one process that sees the watch's silence and does not depend on it. The automation's trigger
is a dead man's switch: each completed watch winds it up again for a quarter of an hour, as does a start of Gendan. It
goes off once for one silence.

Prefect's own notification blocks hold one address each in its database, know a dozen services between them, and let
the services' libraries log as they like. The block below holds no address: it names a tag of the channels file, which
is read at the moment of sending, as for any other message. Nothing secret is stored twice.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.client.orchestration import PrefectClient
from prefect.events import Event, RelatedResource, Resource
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from pydantic import Field

from models.errors import ChannelFailed, NoChannel
from models.names import Language
from notifications.channels import ALWAYS, Channels
from notifications.message import Message
from notifications.texts import say
from tasks.settings import settings

ADMIN = "admin"
"""The tag of the administrator's addresses in the channels file."""
SILENCE = timedelta(minutes=15)
WATCHED = "Watched"
"""The name of the state in which a watch ends; Prefect's event is called by a state's name, not by its type."""
GUARD = "gendan-watch-silent"
"""The name of the automation."""
BLOCK = "gendan-administrator"
"""The name of the notification block."""

_STARTED = "gendan.started"
_DEPLOYMENT = "keep-watch"


class GendanChannel(NotificationBlock):
    """Sends through the channels of a Gendan: to the addresses with a tag in its channels file."""

    _block_type_name = "Gendan Channel"
    _block_type_slug = "gendan-channel"

    tag: str = Field(default=ADMIN, description="The tag, in the channels file, of the addresses to send to.")

    async def notify(self, body: str, subject: str | None = None) -> None:
        """
        Send to the first line of addresses with the tag that takes it.

        Raises:
            NotificationError: no address carries the tag, or one did not take it. Says which service, never an address.

        """
        channels = Channels.from_file(settings().channels)
        try:
            await channels.send(Message(subject or "", body), [self.tag])
        except (NoChannel, ChannelFailed) as failed:
            raise NotificationError(str(failed)) from None


async def guard_watch(
    client: PrefectClient, channels: Path, language: Language, *, within: timedelta = SILENCE
) -> str | None:
    """
    Make the automation and its block, or bring them up to date; where nobody can be told, take the automation away.

    Whether the automation is switched on stays as a person left it. Returns what is wanted for the watch to be
    watched, or `None`. `within` is at least 10 s: Prefect takes no less.
    """
    known = await client.read_automations_by_name(GUARD)
    if not Channels.from_file(channels).tags & {ADMIN, ALWAYS}:
        for automation in known:
            await client.delete_automation(automation.id)
        return nobody_is_told(channels)
    block = await GendanChannel(tag=ADMIN).asave(BLOCK, overwrite=True, client=client)
    wanted = _guard(block, language, within)
    if not known:
        await client.create_automation(wanted)
        return None
    kept, *doubled = known
    for automation in doubled:
        await client.delete_automation(automation.id)
    wanted = wanted.model_copy(update={"enabled": kept.enabled})
    # An update forgets when the last watch completed.
    if _content(kept) != _content(wanted):
        await client.update_automation(kept.id, wanted)
    return None


def nobody_is_told(channels: Path) -> str:
    """Say what to do so that somebody hears of it when the watch stops."""
    return (
        f"nobody is told when the watch stops: give the administrator's address the tag `{ADMIN}` in {channels}, "
        "and start Gendan again"
    )


async def expect_watch(client: PrefectClient, watch: str) -> None:
    """Tell Prefect that Gendan starts, so that a run of `watch` is waited for: also a first one that never comes."""
    deployment = await client.read_deployment_by_name(watch)
    started = Event(
        event=_STARTED,
        resource=Resource({"prefect.resource.id": "gendan.watch", "prefect.resource.name": "Gendan's watch"}),
        related=[
            RelatedResource(
                {
                    "prefect.resource.id": f"prefect.deployment.{deployment.id}",
                    "prefect.resource.role": "deployment",
                    "prefect.resource.name": deployment.name,
                }
            )
        ],
    )
    await client.request("POST", "/events", json=[started.model_dump(mode="json")])


def _guard(block: UUID, language: Language, within: timedelta) -> AutomationCore:
    signs_of_life = {f"prefect.flow-run.{WATCHED}", _STARTED}
    since = "{{ event.occurred.strftime('%Y-%m-%d %H:%M') }} UTC"
    return AutomationCore(
        name=GUARD,
        description=say(language, "watch_silent_why", minutes=round(within.total_seconds() / 60)),
        trigger=EventTrigger(
            posture=Posture.Proactive,
            # The same events before and after: each begins the time anew. With `expect` alone Prefect counts in
            # fixed spans of time, and a silence is noticed after up to three of them, then once in each.
            after=signs_of_life,
            expect=signs_of_life,
            match_related={"prefect.resource.role": "deployment", "prefect.resource.name": _DEPLOYMENT},
            # Without it, Prefect would go on to fire in every second span for as long as the silence lasts.
            for_each={"related:deployment:prefect.resource.name"},
            threshold=1,
            within=within,
        ),
        actions=[
            SendNotification(
                block_document_id=block,
                subject=say(language, "watch_silent_subject"),
                body=say(language, "watch_silent_body", since=since, command="gendan doctor"),
            )
        ],
    )


def _content(automation: Automation | AutomationCore) -> dict[str, object]:
    return AutomationCore.model_validate(automation.model_dump(exclude={"id"})).model_dump(mode="json")
