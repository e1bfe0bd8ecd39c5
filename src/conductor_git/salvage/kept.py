"""What salvage refs hold: the note that a salvage writes into its commit message, and the refs read back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from conductor_git.gitcmd import Git
from conductor_git.layout import SALVAGE_REFS
from conductor_git.names import CommitId, TaskId, is_text

TIME_FORMAT: Final = "%Y%m%dT%H%M%S%fZ"
_LEFT_OUT: Final = "not kept: "
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")
_PLACE: Final = re.compile(rf"{re.escape(SALVAGE_REFS)}([^/]+)/([0-9]{{8}}T[0-9]{{12}}Z)", re.ASCII)
_FIELDS: Final = ("refname", "objectname", "objecttype", "parent", "contents")


@dataclass(frozen=True, slots=True)
class Note:
    """What a salvage says about itself. Every part is empty where an older version, which did not say, made it."""

    why: str = ""
    head: str = ""
    """What HEAD was on: a full ref name, or `detached`."""
    under_way: str = ""
    is_rest: bool = False
    """It was made after a removal had begun and was killed: another one, older, holds what was there before."""
    index: CommitId | None = None
    """The parent whose tree is the index as it was staged."""
    state: CommitId | None = None
    """The parent whose tree holds what of index and git dir no tree can say; see `kept_index`."""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Salvaged:
    """One salvage ref. `note` is None for a ref on commits of the branch alone, with no files beside them."""

    ref: str
    task_id: TaskId
    at: datetime
    commit: CommitId
    head: CommitId
    """The commit that HEAD, or the branch, was at."""
    note: Note | None

    @property
    def time(self) -> str:
        """The last part of the ref's name, by which a person names it."""
        return self.ref.rpartition("/")[2]

    @property
    def is_whole(self) -> bool:
        """It holds files, all that there were."""
        return self.note is not None and not self.note.is_rest


def subject(task_id: TaskId) -> str:
    return f"salvage of {task_id}"


def message(task_id: TaskId, note: Note) -> bytes:
    """The commit message of a salvage."""
    said = {
        "Why": note.why,
        "Head": note.head,
        "Under-Way": note.under_way,
        "Rest": "yes" if note.is_rest else "",
        "Index": note.index,
        "State": note.state,
    }
    lines = [subject(task_id), "", *(f"{key}: {value}" for key, value in said.items() if value)]
    lines += [f"{_LEFT_OUT}{quoted(path)}" for path in note.left_out]
    return "\n".join([*lines, ""]).encode()


def parse_note(text: str, parents: Sequence[str]) -> Note:
    """The note in a commit message; commits that it names count only where they are parents of it."""
    lines = text.split("\n")[1:]
    said = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(_LEFT_OUT))
    return Note(
        why=said.get("Why", ""),
        head=said.get("Head", ""),
        under_way=said.get("Under-Way", ""),
        is_rest=said.get("Rest") == "yes",
        index=_parent(said, "Index", parents) or _index_of_old(said, parents),
        state=_parent(said, "State", parents),
        left_out=tuple(unquoted(line.removeprefix(_LEFT_OUT)) for line in lines if line.startswith(_LEFT_OUT)),
    )


def _parent(said: Mapping[str, str], key: str, parents: Sequence[str]) -> CommitId | None:
    return CommitId(said[key]) if said.get(key) in parents else None


def _index_of_old(said: Mapping[str, str], parents: Sequence[str]) -> CommitId | None:
    return CommitId(parents[1]) if not {"Head", "State"} & said.keys() and len(parents) > 1 else None


def quoted(path: str) -> str:
    """`path` on one line of text: as it is, or in quotes with octal escapes where it would not fit on one."""
    if path.isprintable() and is_text(path) and not path.startswith('"'):
        return path
    data = path.encode("utf-8", "surrogateescape")
    return (
        '"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in data) + '"'
    )


def unquoted(text: str) -> str:
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    data = _ESCAPED.sub(lambda found: bytes([int(found[1], 8) & 255]), text[1:-1].encode())
    return data.decode("utf-8", "surrogateescape")


def salvaged(git: Git, task_id: TaskId | None = None) -> tuple[Salvaged, ...]:
    """Every salvage ref, or those of one task, the newest last; refs by other names are nobody's we know."""
    below = f"{SALVAGE_REFS}{task_id}/" if task_id else SALVAGE_REFS
    shape = "".join(f"%({field})%00" for field in _FIELDS)
    listing = git.run("for-each-ref", f"--format={shape}", below).fields
    width = len(_FIELDS)
    rows = [listing[at : at + width] for at in range(0, len(listing) - width + 1, width)]
    found = [one for row in rows if (one := _read(row)) is not None]
    return tuple(sorted(found, key=lambda one: (one.at, one.ref)))


def _read(row: Sequence[str]) -> Salvaged | None:
    ref, commit, kind, parents, contents = row
    place = _PLACE.fullmatch(ref.lstrip("\n"))
    if place is None or kind != "commit":
        return None
    task_id = TaskId(place[1])
    at = datetime.strptime(place[2], TIME_FORMAT).replace(tzinfo=UTC)
    ids = parents.split(" ") if parents else []
    if contents.partition("\n")[0] != subject(task_id) or not ids:
        return Salvaged(place[0], task_id, at, CommitId(commit), CommitId(commit), None)
    return Salvaged(place[0], task_id, at, CommitId(commit), CommitId(ids[0]), parse_note(contents, ids))
