"""What doctor says of the machine: the kind of file system a path is on, whether its locks lock, and its space."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.workflow.diagnosing.machine import file_system, flock, of_kind, space

MIB = 1 << 20

MOUNTS = """\
overlay / overlay rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/ada/in\\040memory tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/acme", "overlay"),
        ("/home/ada/acme", "nfs4"),
        ("/home/ada/in memory/acme", "tmpfs"),
        ("/homes", "overlay"),
    ],
)
def test_the_longest_mount_point_above_tells(tmp_path: Path, place: str, kind: str) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)

    assert file_system(Path(place), tmp_path / "mounts") == kind


def test_where_no_mounts_are_listed_nothing_is_told(tmp_path: Path) -> None:
    assert file_system(tmp_path, tmp_path / "none") == ""


def test_a_file_system_on_which_a_lock_keeps_nobody_out_is_told(tmp_path: Path) -> None:
    assert list(flock(tmp_path, durable.is_locked)) == []

    assert [one.code for one in flock(tmp_path, lambda _: False)] == ["NO_FLOCK"]


def test_little_space_is_told_once_for_each_file_system(tmp_path: Path) -> None:
    places = (tmp_path, tmp_path.parent, tmp_path / "gone")
    assert list(space(places, lambda _: 256 * MIB)) == []

    found = list(space(places, lambda _: 256 * MIB - 1))

    assert [(one.code, one.subject) for one in found] == [("LOW_SPACE", str(tmp_path))]
    assert "255 MiB" in found[0].sentence


def test_a_place_that_goes_while_its_space_is_asked_for_is_passed_over(tmp_path: Path) -> None:
    def free(place: Path) -> int:
        if place.name == "worktrees":
            raise FileNotFoundError(place)
        return 0

    (tmp_path / "worktrees").mkdir()

    found = list(space((tmp_path / "worktrees", tmp_path), free))
    assert [one.subject for one in found] == [str(tmp_path)]


def test_a_network_file_system_is_a_note(tmp_path: Path) -> None:
    found = list(of_kind(tmp_path, "nfs4"))

    assert [(one.code, one.is_note) for one in found] == [("NETWORK_FILE_SYSTEM", True)]
    assert list(of_kind(tmp_path, "ext4")) == []
