"""The five tests that every backend is known by, each with what was written compared to what is read.

Writers tell the id and the digest of each message that was acknowledged to them, so that a test can hold what the bus
says against what they were told.
"""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, NamedTuple

import pytest

from conductor_git.bus.address import parse_address
from conductor_git.bus.base import Bus
from conductor_git.errors import LockTimeout, TooLarge
from conductor_git.message import Message
from tests import kit
from tests.conformance.backends import FACT, bus_at, program
from tests.faults.bus_findings import false_acknowledgements, findings
from tests.faults.bus_scenes import SCENES, Theatre, in_memory, theatre
from tests.faults.failing import Point

TELLING: Final = """
from hashlib import sha256
def post(name, number, size):
    unit = f"---\\nmsg_id: {name}\\n\\n\\u00fc \\u6f22\\n\\\\---\\n"
    body = f"{name} {number}\\n" + (unit * (size // len(unit.encode()) + 1)).encode()[:size].decode(errors="ignore")
    msg_id = bus.append(Message(type="PROGRESS", body=body, task_id=name))
    print(msg_id, sha256(body.encode()).hexdigest(), flush=True)
"""
"""Defines `post`, which appends and tells what was acknowledged. Bodies hold what could be taken for a frame."""
WRITER: Final = f"""{TELLING}
name, count, sizes = sys.argv[2], int(sys.argv[3]), [int(size) for size in sys.argv[4:]]
for number in range(count):
    post(name, number, sizes[number % len(sizes)])
"""
UNLOCKED: Final = {
    "file": """
import contextlib
from conductor_git import durable
durable.flocked = lambda *a, **k: contextlib.nullcontext()
""",
    "sqlite": """
import sqlite3
class Unlocked(sqlite3.Connection):
    def execute(self, sql, *rest):
        return super().execute("SELECT 1" if sql in ("BEGIN IMMEDIATE", "COMMIT") else sql, *rest)
connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, factory=Unlocked, **k)
""",
}
"""What takes the lock of a backend out of a process."""
PAUSED: Final = """
from conductor_git.frames.frame import Draft
seal = Draft.seal
def paused(*given):
    print("has an id", flush=True)
    input()
    return seal(*given)
Draft.seal = paused
"""
"""Lets a process wait for a line from us whenever a message has its id and is not written yet."""
HOLDERS: Final = {
    "file": """
import portalocker
held = open(bus.path, "ab")
portalocker.lock(held, portalocker.LOCK_EX)
""",
    "sqlite": """
import sqlite3
held = sqlite3.connect(bus.path, isolation_level=None)
held.execute("BEGIN IMMEDIATE")
""",
}
"""What holds the lock of a backend as any other program could, until the process ends."""
TOLD: Final = """
print("held", flush=True)
input()
"""


FEW: Final = 9
"""So many kills of a scene stand for all of them where there are only seconds and SQLite makes hundreds of calls."""
ALL: Final = 10_000
KILLS: Final = [
    *(pytest.param(scene, ALL if scene.startswith("file") else FEW, id=scene) for scene in SCENES),
    *(pytest.param(scene, ALL, id=f"{scene}, all", marks=pytest.mark.faults) for scene in SCENES if "sqlite" in scene),
]


class Told(NamedTuple):
    """What a writer was told of one of its messages."""

    msg_id: str
    digest: str


def told(writer: subprocess.Popen[str]) -> list[Told]:
    """What the writer was told, once it has ended as it should."""
    out, err = writer.communicate()
    assert (writer.returncode, err) == (0, "")
    return acknowledged(out)


def between_id_and_write(url: str, before: str = "") -> subprocess.Popen[str]:
    """A writer of one message that goes on with it when it is sent a line; `before` runs in it first."""
    slow = program(before + PAUSED + WRITER, url, "slow", 1, 20)
    assert slow.stdout is not None
    assert slow.stdout.readline() == "has an id\n"
    return slow


def acknowledged(out: str) -> list[Told]:
    return [Told(*line.split()) for line in out.splitlines()]


def seen(messages: Iterable[Message]) -> list[Told]:
    return [Told(message.msg_id, sha256(message.body.encode()).hexdigest()) for message in messages]


def test_id_uniqueness(bus: Bus, url: str) -> None:
    alone = told(program(WRITER, url, "alone", 1000, 20))
    assert [one.msg_id for one in alone] == sorted({one.msg_id for one in alone})
    assert seen(bus.read()) == alone

    together = [program(WRITER, url, f"writer-{number}", 100, 20) for number in range(10)]
    among_others = [one for writer in together for one in told(writer)]

    stored = seen(bus.read())
    ids = [one.msg_id for one in stored]
    assert len(ids) == 2000
    assert ids == sorted(set(ids))
    assert stored[:1000] == alone
    assert stored[1000:] == sorted(among_others)


def test_concurrent_append(bus: Bus, url: str) -> None:
    writers = [program(WRITER, url, f"writer-{number}", 100, 0, 7, 300, 5000, 20_000) for number in range(10)]
    by_writer = [told(writer) for writer in writers]

    messages = list(bus.read())

    ids = [message.msg_id for message in messages]
    assert len(ids) == 1000
    assert ids == sorted(set(ids))
    for number, mine in enumerate(by_writer):
        name = f"writer-{number}"
        stored = [message for message in messages if message.task_id == name]
        assert seen(stored) == mine
        assert [message.body.split("\n")[0] for message in stored] == [f"{name} {place}" for place in range(100)]
    assert bus.verify().is_sound


def test_a_writer_that_has_an_id_and_has_not_written_yet_keeps_the_others_out(bus: Bus, url: str) -> None:
    first = bus.append(FACT)
    slow = between_id_and_write(url)

    with pytest.raises(LockTimeout):
        bus_at(url, seconds=0.2).append(FACT)

    assert [one.msg_id for one in bus.read()] == [first]
    finished = acknowledged(slow.communicate("\n")[0])
    after = bus.append(FACT)
    assert [one.msg_id for one in bus.read()] == [first, finished[0].msg_id, after]


def test_without_its_lock_a_later_id_is_stored_before_an_earlier_one(backend: str, bus: Bus, url: str) -> None:
    first = bus.append(FACT)
    slow = between_id_and_write(url, UNLOCKED[backend])

    meanwhile = bus.append(FACT)

    finished = acknowledged(slow.communicate("\n")[0])
    assert finished[0].msg_id < meanwhile
    assert [one.msg_id for one in bus.read()] == [first, meanwhile, finished[0].msg_id]


def test_lock_timeout(backend: str, bus: Bus, url: str) -> None:
    bus.append(FACT)
    before = list(bus.read())
    holder = program(HOLDERS[backend] + TOLD, url)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(LockTimeout) as refused:
        bus_at(url, seconds=0.2).append(FACT._replace(body="too late"))
    patient = program("print('asking', flush=True)" + WRITER, url, "patient", 1, 20)
    assert patient.stdout is not None
    assert patient.stdout.readline() == "asking\n"
    assert list(bus.read()) == before
    holder.communicate("\n")

    path = str(parse_address(url).path)
    assert path in refused.value.message
    assert "0.2 s" in refused.value.message
    assert refused.value.hint == f"lsof {path}"
    assert (refused.value.facts["path"], refused.value.facts["seconds"]) == (path, 0.2)
    waited = told(patient)
    after = bus.append(FACT)
    assert [message.msg_id for message in bus.read()] == [before[0].msg_id, waited[0].msg_id, after]
    assert bus.verify().is_sound


def test_crash_recovery(bus: Bus, url: str) -> None:
    chance = random.Random(3)
    all_told: list[Told] = []
    for attempt in range(10):
        victim = program(WRITER, url, f"victim-{attempt}", 10_000, 250_000, 90_000)
        others = [program(WRITER, url, f"other-{attempt}-{number}", 3, 250_000, 10) for number in range(2)]
        assert victim.stdout is not None
        lines = [victim.stdout.readline() for _ in range(chance.randrange(1, 6))]
        victim.send_signal(signal.SIGKILL)
        all_told += acknowledged("".join(lines) + victim.communicate()[0])
        assert victim.returncode == -signal.SIGKILL
        all_told += [one for other in others for one in told(other)]

    last = bus.append(FACT)

    messages = list(bus.read())
    ids = [message.msg_id for message in messages]
    assert ids == sorted(set(ids))
    assert set(all_told) <= set(seen(messages))
    # What a victim wrote and was not told of, at most one each, is whole too: every body says what it must be.
    assert len(messages) - 1 - len(all_told) <= 10
    assert ids[-1] == last
    report = bus.verify()
    assert report.is_sound
    assert report.torn is None


DYING: Final = f"""{TELLING}
import os, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
post("dying", 0, 10)
base = os.path.getsize(bus.path) if bus.url.startswith("file:") else 0
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (base + int(sys.argv[2]), resource.RLIM_INFINITY))
post("dying", 1, 200_000)
"""
"""A writer that the kernel ends when it has written up to a byte of its file, and not one more."""


def test_crash_recovery_in_the_middle_of_a_write(bus: Bus, url: str) -> None:
    chance = random.Random(4)
    all_told = told(program(DYING, url, 1 << 30))
    unheard = all_told[1].digest
    for place in chance.sample(range(33_000, 190_000), 25):
        dying = program(DYING, url, place)
        out, _ = dying.communicate()
        assert (dying.returncode, len(acknowledged(out))) == (-signal.SIGXFSZ, 1)
        all_told += acknowledged(out)
        stored = seen(bus_at(url).read())
        assert set(all_told) <= set(stored)
        assert {one.digest for one in stored if one not in all_told} <= {unheard}

    last = bus.append(FACT)

    ids = [message.msg_id for message in bus.read()]
    assert ids == sorted(set(ids))
    assert ids[-1] == last
    assert {one.msg_id for one in all_told} <= set(ids)
    assert bus.verify().is_sound
    assert bus.verify().torn is None


@kit.requires("strace")
@pytest.mark.parametrize(("scene", "most"), KILLS)
def test_crash_recovery_of_a_kill_at_every_change(
    scene: str, most: int, record_property: Callable[[str, object], None]
) -> None:
    with in_memory() as place:
        played = theatre(SCENES[scene], place)
        changes = [point for point in played.points if point.is_change]
        points = changes[:: len(changes) // most + 1]
        record_property("kills", len(points))
        wrong = {str(point): found for point in points if (found := wrong_after_a_kill(played, point))}

    assert len(points) > 3
    assert not wrong


def wrong_after_a_kill(played: Theatre, point: Point) -> list[str]:
    run = played.stage.killed(point)
    assert run.injected, f"{point} was not reached: {run}"
    return [*false_acknowledgements(played.stage, run), *findings(played.stage, run, played.before, killed=True)]


READER: Final = """
from hashlib import sha256
count, cursor = int(sys.argv[2]), None
while count:
    for message in bus.read(since=cursor):
        print(message.msg_id, sha256(message.body.encode()).hexdigest())
        cursor, count = message.msg_id, count - 1
"""
FOLLOWER: Final = """
from hashlib import sha256
from itertools import islice
for message in islice(bus.follow(stop=Stop(150)), int(sys.argv[2])):
    print(message.msg_id, sha256(message.body.encode()).hexdigest(), flush=True)
"""


def test_read_while_writing(bus: Bus, url: str) -> None:
    readers = [program(text, url, 4 * 30) for text in (READER, FOLLOWER, FOLLOWER)]
    largest = 256 * 1024 - len("writer-0 29\n")
    writers = [program(WRITER, url, f"writer-{number}", 30, 0, 300, 60_000, 5, largest) for number in range(4)]
    with pytest.raises(TooLarge) as refused:
        bus.append(FACT._replace(body="x" * (16 << 20)))
    by_writer = [told(writer) for writer in writers]

    stored = seen(bus.read())
    assert stored == sorted(one for writer in by_writer for one in writer)
    assert len(stored) == 120
    for reader in readers:
        assert told(reader) == stored
    assert refused.value.facts["limit"] == 256 * 1024
    assert all(len(message.body) < 1 << 20 for message in bus.read())
