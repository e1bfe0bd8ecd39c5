"""What was found out before, so that nothing is merged twice: merges by their two commits, answers by all heads.

Only a help: a file that is damaged, of another git or of other settings counts as empty, and writes that two checks do
at once may lose the one's additions, never mix them up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from conductor_git import durable
from conductor_git.errors import ConductorError
from conductor_git.foresight.merging import Clash, Clashes, Pair
from conductor_git.layout import Layout

MOST_MERGES: Final = 20_000
LONGEST_DAYS: Final = 30
MOST_ANSWERS: Final = 4
_MOST_BYTES: Final = 64 * 1024 * 1024
_DAY: Final = 86400

Table = dict[str, Any]


class Memory:
    """The two files under `foresight/`, for one set of `rules`."""

    def __init__(self, layout: Layout, rules: str) -> None:
        self._lock = layout.locks / "foresight-memory"
        self._merges = layout.foresight / "merges"
        self._answers = layout.foresight / "answers"
        self._rules = rules

    def merges(self, pairs: Iterable[Pair]) -> dict[Pair, Clashes]:
        """Those of `pairs` that were merged before."""
        table = self._read(self._merges)
        return {pair: _clashes(table[key][1]) for pair in pairs if (key := _key(pair)) in table}

    def keep(self, used: Mapping[Pair, Clashes]) -> None:
        """Remember `used`; what has not been used for a month goes, and so does the oldest of too many."""
        today = int(time.time()) // _DAY
        new = {_key(pair): [today, clashes] for pair, clashes in used.items()}

        def add(table: Table) -> Table:
            if all(table.get(key, (0,))[0] == today for key in new):
                return table
            whole = {**{key: value for key, value in table.items() if key not in new}, **new}
            recent = {key: value for key, value in whole.items() if today - value[0] <= LONGEST_DAYS}
            return dict(list(recent.items())[-MOST_MERGES:])

        self._change(self._merges, add)

    def answer(self, question: str) -> Any:
        """What was kept for `question`, or None."""
        return self._read(self._answers).get(question)

    def keep_answer(self, question: str, answer: Any) -> None:
        def add(table: Table) -> Table:
            others = [item for item in table.items() if item[0] != question]
            return {**dict(others[-MOST_ANSWERS + 1 :]), question: answer}

        self._change(self._answers, add)

    def _change(self, path: Path, add: Any) -> None:
        # A state directory that takes no writes, or a neighbour that is writing, costs the memory and not the answer.
        with suppress(ConductorError), durable.try_lock(self._lock) as taken:
            if taken is not None:
                before = self._read(path)
                after = add(before)
                if after is not before:
                    durable.make_directory(path.parent)
                    durable.drop_temporaries(path)
                    durable.write_through(path, self._encoded(after))

    def _encoded(self, table: Table) -> bytes:
        body = json.dumps(table).encode()
        return f"{self._rules} {sha256(body).hexdigest()}\n".encode() + body

    def _read(self, path: Path) -> Table:
        """The table in the file `path`; empty where there is none, it is damaged, or it was made under other rules."""
        try:
            head, _, body = durable.read_regular(path, _MOST_BYTES).partition(b"\n")
        except (OSError, ConductorError):
            return {}
        if head != f"{self._rules} {sha256(body).hexdigest()}".encode():
            return {}
        return dict(json.loads(body))


def _key(pair: Pair) -> str:
    return " ".join(pair)


def _clashes(rows: list[Any]) -> Clashes:
    return tuple(
        Clash(path, base, first, second, tuple(near), tuple(kinds)) for path, base, first, second, near, kinds in rows
    )
