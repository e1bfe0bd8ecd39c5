"""conflicts: on random work it says exactly what `git merge-tree` says of each pair by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import kit
from tests.integration.foreseen import brute_force, committed, foresee, pairs, shell
from tests.kit import tasks


def scribble(place: Path, seed: random.Random) -> None:
    """A few random changes of a worktree: edits, new files, renames, deletions, modes, directories for files."""
    files = sorted(path for path in place.rglob("*.txt") if path.is_file())
    for _ in range(seed.randint(1, 4)):
        file = seed.choice([path for path in files if path.is_file()])
        match seed.randint(0, 7):
            case 0 | 1 | 2:
                lines = file.read_text().split("\n")
                lines[seed.randrange(len(lines))] += f" {seed.randint(0, 3)}"
                file.write_text("\n".join(lines))
            case 3:
                (file.parent / f"new{seed.randint(0, 5)}.txt").write_text(f"{seed.randint(0, 1)}\n")
            case 4:
                file.rename(file.with_name(f"moved{seed.randint(0, 3)}.txt"))
            case 5:
                file.unlink()
            case 6:
                file.chmod(0o755)
            case _:
                file.unlink()
                file.mkdir()
                (file / "inside").write_text("x\n")


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_thirty_random_workers_collide_as_git_says_of_each_pair(repository: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(24):
        shell(repository, f"mkdir -p d{number % 6}/e; seq {number} {number + 12} >d{number % 6}/e/f{number}.txt")
    committed(repository, ":")
    places = {f"w{number:02d}": tasks.spawn(repository, f"w{number:02d}") for number in range(30)}
    for number, place in enumerate(places.values()):
        if number % 6 == 0:
            shell(place, f"git mv d{number // 6} renamed{number}")
        scribble(place, chance)
        if number % 3:
            committed(place, ":")
            if number % 2:
                scribble(place, chance)

    found = pairs(foresee(repository))

    heads = {}
    for task_id, place in places.items():
        committed(place, ":")  # what was uncommitted, as a commit
        heads[task_id] = kit.git(place, "rev-parse", "HEAD")
    assert found == pairs(foresee(repository)) == brute_force(repository, heads)
    assert len(found) > 30
