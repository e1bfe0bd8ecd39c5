"""How many flushes a command waits for, pinned: each keeps a promise, and on many disks they are most of its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.counted import flushes

pytestmark = kit.requires("strace")

WORK = {"src/new.py": "NEW = 1\n"}
CHANGED_RECORD = {"fsync": 2, "fdatasync": 1}
"""The record's bytes, its name in its directory, and the message that tells of it."""


def test_a_spawn_flushes_its_folder_prompt_context_record_and_message(repository: Path) -> None:
    tasks.spawn(repository, "first")  # makes the directories that all tasks share

    assert flushes(repository.parent, repository, "spawn", "prices") == {"fsync": 7, "fdatasync": 1}


def test_a_landing_flushes_its_intent_two_records_and_two_messages_and_the_file_system_once(repository: Path) -> None:
    for task_id in ("first", "prices"):
        tasks.approved(repository, task_id, {f"{task_id}.txt": "new\n"})
    kit.git(repository, "switch", "--quiet", "--create", "elsewhere")
    tasks.merge(repository, "first")

    counted = flushes(repository.parent, repository, "merge", "prices", "--no-cleanup")

    assert counted == {"fsync": 7, "fdatasync": 2, "syncfs": 1}


def test_handing_in_flushes_one_record_and_one_message(repository: Path) -> None:
    place = tasks.spawn(repository, "first")
    tasks.commit(place, WORK)
    kit.conductor("diff", "first", cwd=repository)  # makes the integration repository

    assert flushes(repository.parent, place, "done") == CHANGED_RECORD


def test_a_message_is_flushed_once(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    assert flushes(repository.parent, repository, "bus", "post", "hello") == {"fdatasync": 1}


@pytest.mark.parametrize("words", [["heartbeat"], ["ctx"], ["status"], ["show", "prices"]])
def test_a_beat_and_a_look_wait_for_no_disk(repository: Path, words: list[str]) -> None:
    place = tasks.spawn(repository, "prices")
    kit.conductor("diff", "prices", cwd=repository)  # makes the integration repository

    assert flushes(repository.parent, place, *words) == {}
