"""
Names that chats read as a call to many: in what somebody wrote about an order they are words, and call nobody.

Slack calls with `<!channel>` and `<@U1>`, Feishu with `<at user_id="all">`, WeCom with `<@all>`, Discord with
`@everyone` and `<@1>`: inside plain text, and none of them says how to escape it there.
"""

from __future__ import annotations

import re

_JOINER = "\u2060"
"""Is not seen, and makes two words of a sign and the name behind it."""

_CALL = re.compile(r"<(?=[!@#&]|/?at\b)|@(?=(?:everyone|here|channel|all)\b|所有人|全体成员)", re.IGNORECASE)


def uncalled(text: str) -> str:
    """Return a text that reads the same and calls nobody."""
    return _CALL.sub(lambda found: found[0] + _JOINER, text)
