"""The whole way of a task in a repository that is hard: the same steps, and the same things to hold, for every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import kit
from tests.kit import tasks

UNSAVED: tasks.Files = {"docs/unsaved.md": "not committed\n", "README.md": "# Changed\n"}


def conducted(*words: str, cwd: Path) -> Any:
    """The document of a command that must succeed."""
    done = kit.conductor(*words, "--json", cwd=cwd)
    assert done.code == 0, done
    return done.document


def spawned(place: Path, task_id: str, *words: str) -> Path:
    """The worktree of a new task that is being worked on."""
    run = conducted("spawn", task_id, *words, cwd=place)["task"]
    worktree = Path(run["worktree"])
    assert kit.git(worktree, "status", "--porcelain", "--ignore-submodules=none") == ""
    conducted("start", cwd=worktree)
    return worktree


def handed_in(place: Path, worktree: Path, task_id: str) -> None:
    """From WORKING to APPROVED, with the looks that people take on the way."""
    conducted("done", cwd=worktree)
    conducted("diff", task_id, cwd=place)
    conducted("conflicts", cwd=place)
    conducted("status", cwd=place)
    conducted("approve", task_id, "--as", "ada", cwd=place)


def lands(place: Path, worktree: Path, task_id: str) -> None:
    """Merge: the landing succeeds and takes the worktree away."""
    document = tasks.landed(tasks.merge(place, task_id))
    assert not worktree.exists(), document


def whole_way(place: Path, file: str = "src/new.py", task_id: str = "prices") -> None:
    """spawn → commit → done → approve → merge, given from `place`; `file` is what the task brings.

    Another task lands in between, so that what lands is a merge.
    """
    worktree, other = spawned(place, task_id), spawned(place, "other")
    for home, name, brought in ((worktree, task_id, file), (other, "other", "src/other.py")):
        tasks.commit(home, {brought: "NEW = 1\n"})
        handed_in(place, home, name)
    lands(place, other, "other")
    lands(place, worktree, task_id)


def taken_back(place: Path, task_id: str = "idea") -> None:
    """cancel, start over with what there was salvaged, and bring it back."""
    worktree = spawned(place, task_id)
    tasks.write(worktree, UNSAVED)
    conducted("cancel", task_id, cwd=place)
    conducted("retry", task_id, "--reset", cwd=place)
    assert not (worktree / "docs/unsaved.md").exists()
    assert kit.git(worktree, "status", "--porcelain") == ""
    conducted("restore", task_id, cwd=place)
    assert {name: (worktree / name).read_text() for name in UNSAVED} == UNSAVED
    assert sorted(kit.git(worktree, "status", "--porcelain").splitlines()) == [" M README.md", "?? docs/unsaved.md"]


STAND_IN = r"""#!/usr/bin/env python3
# git-lfs as far as a checkout and a commit need it, and strict: whatever else it is asked for ends with an error.
import hashlib, os, pathlib, subprocess, sys

HEAD = b"version https://git-lfs.github.com/spec/v1\n"
common = subprocess.check_output(["git", "rev-parse", "--path-format=absolute", "--git-common-dir"])
store = pathlib.Path(os.fsdecode(common.rstrip(b"\n")), "lfs", "objects")
verb, data = sys.argv[1], sys.stdin.buffer.read()
if verb == "clean":
    if not data.startswith(HEAD):
        oid = hashlib.sha256(data).hexdigest()
        place = store / oid[:2] / oid[2:4] / oid
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        data = HEAD + f"oid sha256:{oid}\nsize {len(data)}\n".encode()
elif verb == "smudge":
    skips = os.environ.get("GIT_LFS_SKIP_SMUDGE", "0") not in ("0", "false", "")
    if data.startswith(HEAD) and not skips:
        oid = data.split(b"sha256:")[1].split(b"\n")[0].decode()
        data = (store / oid[:2] / oid[2:4] / oid).read_bytes()
else:
    sys.exit(f"the stand-in for git-lfs has no {verb}")
sys.stdout.buffer.write(data)
"""


def with_lfs(repository: Path, program: str) -> Path:
    """A repository whose `*.bin` are with git-lfs, one of them committed: `program` is what the filter calls."""
    for verb in ("clean", "smudge"):
        kit.git(repository, "config", f"filter.lfs.{verb}", f"{program} {verb} -- %f")
    kit.git(repository, "config", "filter.lfs.required", "true")
    tasks.commit(repository, {".gitattributes": "*.bin filter=lfs -text\n"}, "Track with LFS")
    tasks.commit(repository, {"assets/old.bin": b"\0old content\n"}, "Add an asset")
    assert kit.git(repository, "show", "HEAD:assets/old.bin").startswith(POINTER)
    return repository


POINTER = "version https://git-lfs.github.com/spec/v1\n"
