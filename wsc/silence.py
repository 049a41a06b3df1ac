"""Whether commands leave out what they say to people: results as text, and progress. JSON and errors stay."""

from __future__ import annotations

from contextvars import ContextVar

SILENT: ContextVar[bool] = ContextVar("silent", default=False)
