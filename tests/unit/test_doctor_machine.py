"""The kind of file system a path is on, as Linux lists mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.workflow.diagnosing.machine import file_system

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
