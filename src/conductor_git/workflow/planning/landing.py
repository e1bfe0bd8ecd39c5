"""The landings of a plan's tasks, in a thread of their own, so that gates keep nothing else waiting."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from conductor_git.errors import ConductorError, LockTimeout
from conductor_git.project import project_at
from conductor_git.workflow.landing.wish import Listener, Refused, Wish
from conductor_git.workflow.planning.actions import Action, Land
from conductor_git.workflow.planning.perform import Hands
from conductor_git.workflow.queue import process

_END_SECONDS: Final = 30.0
"""How long a landing that is broken off may take to end its gate and let go of its locks."""


@dataclass(slots=True)
class Landings:
    """One at a time; what is approved meanwhile is taken along where it lands on the same target."""

    hands: Hands
    wish: Wish
    listener: Listener
    ended: Callable[[], None]
    """Called in the thread, once it has nothing more to do."""
    _thread: threading.Thread | None = None
    _asked: tuple[Land, ...] = ()
    _refused: dict[Action, str] = field(default_factory=dict)
    _failure: BaseException | None = None

    @property
    def is_busy(self) -> bool:
        return self._thread is not None

    def start(self, wanted: Iterable[Land]) -> None:
        """Land what is wanted on one of the targets, unless a landing is under way."""
        actions = tuple(wanted)
        if self.is_busy or not actions:
            return
        target = actions[0].target
        self._asked, self._refused = tuple(action for action in actions if action.target == target), {}
        self._thread = threading.Thread(target=self._land, args=(target,), name=f"landing-{target}", daemon=True)
        self._thread.start()

    def collect(self) -> Mapping[Action, str]:
        """What came of the landings that were asked for, once the thread has ended: why not, or nothing to say."""
        if self._thread is None or self._thread.is_alive():
            return {}
        self._thread = None
        if self._failure is not None:
            raise self._failure
        return self._refused

    def break_off(self) -> bool:
        """End the landing that is under way as ^C ends a `merge`: its gate ends, and the rest is there to be mended.

        False where none was under way.
        """
        thread = self._thread
        if thread is None or thread.ident is None or not thread.is_alive():
            return False
        interrupt = ctypes.py_object(KeyboardInterrupt)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), interrupt)
        thread.join(_END_SECONDS)
        return True

    def _land(self, target: str) -> None:
        try:
            self._refused = self._landed(target)
        except KeyboardInterrupt:
            return  # broken off
        except BaseException as failure:  # noqa: BLE001 - raised again where the plan is run
            self._failure = failure
        finally:
            self.ended()

    def _landed(self, target: str) -> dict[Action, str]:
        hands = self.hands
        # A project of its own: what the other thread does with its bus is nothing to this one.
        project = project_at(hands.project.layout.common_dir, hands.project.repository)
        try:
            processed = process(
                project,
                by=hands.by,
                at=hands.clock,
                target=target,
                plan=hands.planned.name,
                wish=self.wish,
                listener=self.listener,
            )
        except LockTimeout:
            return {}  # it is tried again
        except ConductorError as refused:
            return dict.fromkeys(self._asked, refused.message)
        refused_ids = {result.run.task_id: result.error for result in processed.results if isinstance(result, Refused)}
        return {
            action: error.message if (error := refused_ids.get(action.task_id)) else ""
            for action in self._asked
            if not isinstance(refused_ids.get(action.task_id), LockTimeout)
        }
