"""DingTalk's robot, with two faults of Apprise's plugin (1.13) mended: signed robots refused all of its messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from apprise import NotifyFormat
from apprise.manager_plugins import NotificationManager
from apprise.plugins.dingtalk import NotifyDingTalk


class DingTalk(NotifyDingTalk):  # type: ignore[no-untyped-call]  # Apprise has hardly any annotations
    """
    Apprise's DingTalk, mended.

    The signature is percent-encoded twice, by the plugin and by the query that it is put into: DingTalk reads it once
    and answers 310000. And a message in Markdown is sent as `msgtype: text` without a text: it goes out as plain
    text, which is what we write.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # see above
        self.notify_format = NotifyFormat.TEXT

    def get_signature(self) -> tuple[str, str]:
        """Return milliseconds since 1970 and the signature, not encoded for a URL (base64 holds no `%`)."""
        timestamp, signature = super().get_signature()  # type: ignore[no-untyped-call]  # see above
        return timestamp, unquote(signature)


def mend_dingtalk(known: NotificationManager) -> None:
    """Have `known` read dingtalk:// addresses as ours; once is enough."""
    if known["dingtalk"] is not DingTalk:
        known.add(DingTalk, schemas="dingtalk", force=True)  # type: ignore[no-untyped-call]  # see above
