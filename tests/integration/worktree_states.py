"""Worktrees in every state that people and agents leave them in, made at random from a seed, and how they look."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import kit

NAMES = (
    "plain.txt",
    "two\nlines",
    "ends with a return\r",
    " spaces ",
    os.fsdecode(b"no text \xe9\xff"),
    "-rf",
    ":(top)magic",
    '"quoted"',
    "back\\slash",
    "deep/er/still/tab\there",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}/menu",
)
TRACKED = ("README.md", "src/prices.py", "src/main.py", "docs/how to run.md", "run.sh")


@dataclass(frozen=True, slots=True)
class Look:
    """A worktree as a person and git see it: every file with its mode and bytes, status, index, HEAD."""

    files: dict[str, kit.Entry]
    status: str
    index: str
    flags: str
    head: str
    tip: str


def look(worktree: Path) -> Look:
    """Directories do not count: git keeps none that is empty."""
    seen = kit.snapshot(worktree)
    files = {name: entry for name, entry in seen.entries.items() if not stat.S_ISDIR(entry.mode)}
    files.pop(".worker-ctx.json", None)
    return Look(
        files,
        kit.git(worktree, "status", "--porcelain=v2", "--branch", "-z", "--ignored", "--untracked-files=all"),
        seen.index,
        kit.git(worktree, "ls-files", "-v", "-z"),
        seen.head,
        seen.tip,
    )


def disturb(worktree: Path, seed: int) -> list[str]:
    """Do to `worktree` a handful of things that `seed` chooses; returns their names."""
    chance = random.Random(seed)
    deeds = chance.sample(DEEDS, chance.randint(2, 7))
    # What changes commits comes first: it refuses a worktree with changes.
    order = ("detached", "conflict")
    deeds.sort(key=lambda deed: order.index(deed.__name__) if deed.__name__ in order else len(order))
    for deed in deeds:
        deed(worktree, chance)
    return [deed.__name__ for deed in deeds]


def data(chance: random.Random) -> bytes:
    return chance.choice((b"", b"text\n", b"dos\r\nlines\r\n", chance.randbytes(300), b"\0nul\xff"))


def put(file: Path, content: bytes) -> None:
    """Write `content`, unless something that another deed made is in the way."""
    if any(parent.is_file() or parent.is_symlink() for parent in file.parents) or file.is_symlink() or file.is_dir():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def edited(place: Path, chance: random.Random) -> None:
    for name in chance.sample(TRACKED, 2):
        put(place / name, data(chance))


def staged_and_edited_again(place: Path, chance: random.Random) -> None:
    put(place / "src/prices.py", b"staged = 1\n")
    kit.git(place, "add", "--all", "--", "src", ok=(0, 1, 128))
    put(place / "src/prices.py", data(chance))


def staged_and_put_back(place: Path, chance: random.Random) -> None:
    before = (place / "README.md").read_bytes() if (place / "README.md").is_file() else data(chance)
    put(place / "README.md", b"staged\n")
    kit.git(place, "add", "--all", "--", "README.md", ok=(0, 1, 128))
    put(place / "README.md", before)


def deleted(place: Path, chance: random.Random) -> None:
    file = place / chance.choice(TRACKED)
    if os.path.lexists(file) and not file.is_dir():  # another deed may have put a directory there, or a file above
        file.unlink()


def deleted_from_the_index(place: Path, chance: random.Random) -> None:
    kit.git(place, "rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "--", chance.choice(TRACKED))


def untracked(place: Path, chance: random.Random) -> None:
    for name in chance.sample(NAMES, 4):
        put(place / name, data(chance))


def staged_new(place: Path, chance: random.Random) -> None:
    name = f"new {chance.randint(0, 9)}.txt"
    put(place / name, data(chance))
    kit.git(place, "add", "--", name)
    if chance.random() < 0.3:
        (place / name).unlink()


def intended(place: Path, chance: random.Random) -> None:
    put(place / "intended.txt", data(chance))
    kit.git(place, "add", "--intent-to-add", "--", "intended.txt")


def renamed(place: Path, chance: random.Random) -> None:
    if (place / "run.sh").is_file():
        kit.git(place, "mv", "--force", "run.sh", f"start{chance.randint(0, 9)}.sh", ok=(0, 1, 128))


def ignored(place: Path, chance: random.Random) -> None:
    put(place / "debug.log", data(chance))
    put(place / "build/out/deep/object.o", data(chance))
    put(place / "build/.cache", data(chance))


def modes(place: Path, chance: random.Random) -> None:
    for name in ("src/main.py", "run.sh", "plain.txt"):
        file = place / name
        if file.is_file() and not file.is_symlink():
            file.chmod(chance.choice((0o644, 0o755)))


def links(place: Path, chance: random.Random) -> None:
    for name, target in (("dangling", "no/where"), ("to a directory", "src"), ("odd", os.fsdecode(b"\xff\n"))):
        if not os.path.lexists(place / name):
            (place / name).symlink_to(target)
    if chance.random() < 0.5 and (place / "README.md").is_file():
        (place / "README.md").unlink()
        (place / "README.md").symlink_to("src/main.py")


def file_for_directory(place: Path, chance: random.Random) -> None:
    shutil.rmtree(place / "docs", ignore_errors=True)
    if not os.path.lexists(place / "docs"):
        put(place / "docs", data(chance))


def directory_for_file(place: Path, chance: random.Random) -> None:
    if not (place / "README.md").is_dir():
        (place / "README.md").unlink(missing_ok=True)
    put(place / "README.md" / "part one", data(chance))


def overlooked(place: Path, chance: random.Random) -> None:
    flag = chance.choice(("--assume-unchanged", "--skip-worktree"))
    kit.git(place, "update-index", flag, "src/main.py", ok=(0, 128))
    put(place / "src/main.py", data(chance))


def conflict(place: Path, chance: random.Random) -> None:
    kit.git(place, "merge", "--quiet", "theirs", ok=(0, 1))
    if chance.random() < 0.5:
        put(place / "src/prices.py", data(chance))


def detached(place: Path, chance: random.Random) -> None:
    kit.git(place, "checkout", "--quiet", "--detach", chance.choice(("HEAD", "HEAD~1")))


DEEDS: list[Callable[[Path, random.Random], None]] = [
    edited,
    staged_and_edited_again,
    staged_and_put_back,
    deleted,
    deleted_from_the_index,
    untracked,
    staged_new,
    intended,
    renamed,
    ignored,
    modes,
    links,
    file_for_directory,
    directory_for_file,
    overlooked,
    conflict,
    detached,
]
