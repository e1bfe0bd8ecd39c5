"""The project's bus: in files unless it was set otherwise, moved with a command, and everyone goes along."""

from __future__ import annotations

import subprocess
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.current import CurrentBus, current_address, own_address, set_current
from conductor_git.bus.file import FileBus
from conductor_git.errors import BadConfig, BadInput, BusMoved
from tests import kit
from tests.integration.buses import FACT, python

GOING_ALONG = """
import sys
from pathlib import Path
from conductor_git.bus.current import CurrentBus
from conductor_git.message import Message
bus = CurrentBus(Path(sys.argv[1]), seconds=60)
for number in range(int(sys.argv[2])):
    print(bus.append(Message(type="PROGRESS", body=str(number), task_id=sys.argv[3])), flush=True)
"""


def state_dir(repository: Path) -> Path:
    return repository / ".git" / "conductor"


def test_a_project_has_its_bus_in_files_until_it_is_set_otherwise(tmp_path: Path) -> None:
    assert CurrentBus(tmp_path).url == f"file:{tmp_path}/MESSAGE-BUS.md"
    set_current(tmp_path, own_address(tmp_path, "sqlite"))
    assert CurrentBus(tmp_path).url == f"sqlite:{tmp_path}/MESSAGE-BUS.sqlite"


def test_a_setting_that_says_nothing_known_is_told_and_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "bus.setting").write_text("carrier pigeon\n")

    with pytest.raises(BadConfig, match="carrier pigeon"):
        CurrentBus(tmp_path).append(FACT)
    assert [path.name for path in tmp_path.iterdir()] == ["bus.setting"]


def test_a_process_that_lives_long_reads_and_writes_where_the_bus_is_now(tmp_path: Path) -> None:
    bus = CurrentBus(tmp_path)
    bus.append(FACT._replace(body="before"))
    database = own_address(tmp_path, "sqlite")
    open_bus(database).adopt(list(bus.read()))
    set_current(tmp_path, database)

    bus.append(FACT._replace(body="after"))

    assert [message.body for message in bus.read()] == ["before", "after"]
    assert [message.body for message in open_bus(database).read()] == ["before", "after"]
    assert len(list(FileBus(tmp_path / "MESSAGE-BUS.md").read())) == 1


def test_a_writer_that_is_sent_on_finishes_the_switch_that_a_killed_mover_left(tmp_path: Path) -> None:
    bus = CurrentBus(tmp_path)
    set_current(tmp_path, own_address(tmp_path, "file", 4096))
    first = bus.append(FACT)
    database = own_address(tmp_path, "sqlite")
    FileBus(tmp_path / "MESSAGE-BUS.md").hand_over(database.url, lambda: _adopted(database.url, tmp_path))

    second = bus.append(FACT)

    assert current_address(tmp_path) == own_address(tmp_path, "sqlite", 4096)
    assert [message.msg_id for message in CurrentBus(tmp_path).read()] == [first, second]


def _adopted(url: str, directory: Path) -> None:
    open_bus(parse_address(url)).adopt(list(FileBus(directory / "MESSAGE-BUS.md").read()))


def test_a_follower_goes_along_and_sees_each_message_once(tmp_path: Path) -> None:
    bus = CurrentBus(tmp_path)
    bus.append(FACT._replace(body="before"))
    with closing(CurrentBus(tmp_path).follow(types=("FACT",))) as followed:
        assert next(followed).body == "before"
        database = own_address(tmp_path, "sqlite")
        FileBus(tmp_path / "MESSAGE-BUS.md").hand_over(database.url, lambda: _adopted(database.url, tmp_path))
        bus.append(FACT._replace(body="after"))
        assert next(followed).body == "after"
        bus.append(FACT._replace(body="later"))
        assert next(followed).body == "later"


def test_a_bus_that_moved_outside_of_the_project_is_followed_there_and_the_setting_stays(tmp_path: Path) -> None:
    elsewhere = parse_address(f"file:{tmp_path}/elsewhere/bus.md")
    bus = CurrentBus(tmp_path / "state")
    bus.append(FACT)
    FileBus(tmp_path / "state" / "MESSAGE-BUS.md").hand_over(elsewhere.url, lambda: None)

    bus.append(FACT._replace(body="sent on"))

    assert [message.body for message in open_bus(elsewhere).read()] == ["sent on"]
    assert current_address(tmp_path / "state").backend == "file"


def test_the_config_decides_where_a_new_project_has_its_bus(repository: Path) -> None:
    (repository / ".conductor.yaml").write_text("bus: {backend: sqlite, segment_bytes: 2048}\n")

    assert kit.conductor("spawn", "prices", "--no-start", cwd=repository).code == 0

    assert (state_dir(repository) / "MESSAGE-BUS.sqlite").exists()
    assert not (state_dir(repository) / "MESSAGE-BUS.md").exists()
    read = kit.conductor("bus", "read", "--json", cwd=repository).document["messages"]
    assert [message["type"] for message in read] == ["STATE"]
    worktree = repository.parent / f"{repository.name}.worktrees" / "prices"
    assert kit.conductor("bus", "post", "from the worktree", cwd=worktree).code == 0
    assert kit.conductor("ctx", "--field", "bus", cwd=worktree).out.strip().startswith("sqlite:")


@pytest.mark.parametrize("words", [["bus", "post", "hello"], ["serve", "token", "add", "ada"], ["mcp"]], ids=" ".join)
def test_whoever_is_first_to_have_something_to_say_asks_the_config_for_the_bus(
    repository: Path, words: list[str]
) -> None:
    (repository / ".conductor.yaml").write_text("bus: {backend: sqlite}\n")

    assert kit.conductor(*words, cwd=repository).code == 0
    assert kit.conductor("bus", "post", "and on", cwd=repository).code == 0

    assert not (state_dir(repository) / "MESSAGE-BUS.md").exists()
    assert kit.conductor("spawn", "prices", "--no-start", cwd=repository).code == 0
    read = kit.conductor("bus", "read", "--json", cwd=repository).document["messages"]
    assert [message["type"] for message in read][-2:] == ["FACT", "STATE"]


def test_a_server_asks_the_config_for_the_bus_before_anything_is_said(repository: Path) -> None:
    (repository / ".conductor.yaml").write_text("bus: {backend: sqlite}\n")
    with subprocess.Popen(
        [kit.console_script(), "serve", "--port", "0", "--json"], cwd=repository, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        server.terminate()

    assert current_address(state_dir(repository)).backend == "sqlite"


def test_a_config_that_cannot_be_read_keeps_nobody_from_saying_something(repository: Path) -> None:
    (repository / ".conductor.yaml").write_text("bus: [\n")

    assert kit.conductor("bus", "post", "hello", cwd=repository).code == 0

    assert current_address(state_dir(repository)).backend == "file"


def test_the_size_of_segments_is_obeyed_from_the_next_spawn_on(repository: Path) -> None:
    (repository / ".conductor.yaml").write_text("bus: {segment_bytes: 1024}\n")
    assert kit.conductor("spawn", "prices", "--no-start", cwd=repository).code == 0
    for number in range(6):
        assert kit.conductor("bus", "post", f"{number} " + "x" * 500, cwd=repository).code == 0

    assert len(list(state_dir(repository).glob("MESSAGE-BUS.MSG-*.md"))) > 2
    assert kit.conductor("bus", "verify", cwd=repository).code == 0


def test_a_config_that_names_another_backend_than_the_messages_are_on_is_refused_with_the_way(
    repository: Path,
) -> None:
    assert kit.conductor("spawn", "prices", "--no-start", cwd=repository).code == 0
    (repository / ".conductor.yaml").write_text("bus: {backend: sqlite}\n")

    refused = kit.conductor("spawn", "pears", "--no-start", "--json", cwd=repository)

    assert refused.document["error"]["code"] == "BAD_CONFIG"
    assert refused.document["error"]["hint"] == "conductor-git bus copy file sqlite"
    assert kit.conductor("bus", "copy", "file", "sqlite", cwd=repository).code == 0
    assert kit.conductor("spawn", "pears", "--no-start", cwd=repository).code == 0


def test_a_bus_moves_to_a_database_and_back_while_workers_post_and_nothing_is_lost(repository: Path) -> None:
    assert kit.conductor("spawn", "prices", "--no-start", cwd=repository).code == 0
    writers = [python(GOING_ALONG, state_dir(repository), 60, f"writer-{number}") for number in range(3)]
    for way in (("file", "sqlite"), ("sqlite", "file"), ("file", "sqlite")):
        moved = kit.conductor("bus", "copy", *way, cwd=repository)
        assert moved.code == 0, moved
    acknowledged = [writer.communicate() for writer in writers]
    assert [said for _, said in acknowledged if said] == []

    messages = list(CurrentBus(state_dir(repository)).read())
    ids = [message.msg_id for message in messages]

    assert current_address(state_dir(repository)).backend == "sqlite"
    assert ids == sorted({*ids})
    for number, (out, _) in enumerate(acknowledged):
        mine = [message.msg_id for message in messages if message.task_id == f"writer-{number}"]
        assert mine == out.split()
        assert len(mine) == 60
    assert CurrentBus(state_dir(repository)).verify().is_sound


def test_what_names_no_bus_is_refused(tmp_path: Path) -> None:
    for text in ("", "file:", "\0", "redis://host/1", "postgresql://host/db"):
        with pytest.raises(BadInput):
            parse_address(text)
    database = own_address(tmp_path, "sqlite")
    open_bus(database).append(FACT)
    assert parse_address(str(database.path)).backend == "sqlite"
    assert parse_address(f"file://{tmp_path}/bus.md").path == tmp_path / "bus.md"


def test_a_plain_writer_at_a_moved_bus_is_told_where_to_go(tmp_path: Path) -> None:
    bus = FileBus(tmp_path / "bus.md")
    bus.append(FACT)
    bus.hand_over("sqlite:/elsewhere.sqlite", lambda: None)

    with pytest.raises(BusMoved) as moved:
        bus.append(FACT)
    assert moved.value.hint == "conductor-git bus read --bus sqlite:/elsewhere.sqlite"
    assert [message.body for message in islice(bus.read(), 5)] == [FACT.body]
