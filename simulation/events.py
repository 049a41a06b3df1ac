"""Events: SimPy's queue, with plain calls as events (a third of the time of a process that is resumed)."""

from __future__ import annotations

from collections.abc import Callable

from simpy import Environment, Event
from simpy.events import NORMAL, EventPriority

LAST = EventPriority(NORMAL + 1)


class Call(Event):
    """Calls `function` `delay` cycles from now; priority `LAST` is after all else of that cycle."""

    def __init__(
        self,
        env: Environment,
        delay: int,
        function: Callable[[Event], None],
        priority: EventPriority = NORMAL,
    ) -> None:
        self.env = env
        self.callbacks = [function]
        self._value = None
        self._ok = True
        env.schedule(self, priority, delay)
