"""
MEASURES: what following orders costs, beside the same orders followed the way Prefect's documentation shows.

`make bench` measures both forms in one run, on one machine, against one Prefect server, and prints the ratios.
"""

from __future__ import annotations

import os

# Prefect sends usage figures as soon as it is imported, unless it reads this first.
os.environ.setdefault("DO_NOT_TRACK", "1")
