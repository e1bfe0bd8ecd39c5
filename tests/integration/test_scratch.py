"""Scratch directories: many are made and used while others take away those whose users were killed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conductor_git import integration
from conductor_git.project import open_project

ROUNDS = 300


def test_those_who_take_away_what_was_left_meet_neither_each_other_nor_those_who_work(repository: Path) -> None:
    project = open_project(repository)
    looking = integration.opened(project.layout, project.git, integration.shared_config(project.git))

    def work(_: int) -> int:
        for _ in range(ROUNDS):
            with integration.scratch_objects(looking) as own:
                assert own.objects is not None
                assert (own.objects / "info" / "alternates").is_file()
        return ROUNDS

    def clear(_: int) -> int:
        for _ in range(ROUNDS):
            integration.drop_scratch(project.layout)
        return ROUNDS

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(one, number) for number in range(3) for one in (work, clear)]
        assert [each.result() for each in done] == [ROUNDS] * 6

    integration.drop_scratch(project.layout)
    assert integration.stale_scratch(project.layout) == ()
