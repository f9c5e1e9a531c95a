"""A watch that goes round every few seconds, whatever happens to it: two of them run beside each other."""

from __future__ import annotations

import asyncio
import time
import traceback

from flows.keep_watch import keep_watch

EVERY = 10.0


def main() -> None:
    """Go round until killed; a round that fails is said, and the next one is another try."""
    while True:
        try:
            asyncio.run(keep_watch())  # type: ignore[arg-type]
        except Exception:
            traceback.print_exc()
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
