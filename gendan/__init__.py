"""Gendan (跟單) follows export orders: the command line, the worker and the processes behind `gendan up`."""

from __future__ import annotations

__version__ = "0.1.0"
