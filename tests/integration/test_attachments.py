"""Files that go with messages: stored whole or not at all, masked, found again only as they were stored."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.bus.attachments.attach import Attached, attach
from conductor_git.bus.attachments.stored import MAX_ATTACHMENT, checked
from conductor_git.errors import BadInput, BusDamaged, ConductorError, NotFound, StateUnwritable, TooLarge, UnsafePath
from conductor_git.masking import MASK, mask
from conductor_git.message import Message
from tests import kit
from tests.conformance.backends import FACT, bus_at

SECRET = "correct horse battery staple"
KEY = "sk-proj-" + "Ab1" * 12
ATTACH = """
import sys
from pathlib import Path
from conductor_git.bus.attachments.attach import attach
print(attach(Path(sys.argv[1]), Path(sys.argv[2])).attachment_path)
"""


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The directory of the bus, which is not there yet."""
    return tmp_path / "state" / "conductor"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_SECRET", SECRET)


def file(directory: Path, data: bytes, name: str = "report.txt") -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def naming(attached: Attached) -> Message:
    return FACT._replace(
        msg_id="x", attachment_path=attached.attachment_path, extra={"attachment": dict(attached.facts)}
    )


def stored(beside: Path) -> list[str]:
    """All that lies in `attachments`, but its lock."""
    found = (beside / "attachments").rglob("*")
    return sorted(path.relative_to(beside).as_posix() for path in found if path.is_file() and path.name != ".lock")


def attacher(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", ATTACH, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("data", [b"", b"short\n", b"\xff\xfe\0binary" * 200_000, "ünï".encode() * 700_000])
def test_what_was_attached_is_found_by_the_message_as_it_was(tmp_path: Path, beside: Path, data: bytes) -> None:
    attached = attach(file(tmp_path, data), beside)

    assert attached.facts == {"name": "report.txt", "size": str(len(data)), "sha256": sha256(data).hexdigest()}
    assert attached.attachment_path == f"attachments/{sha256(data).hexdigest()[:16]}/report.txt"
    assert checked(beside, naming(attached)).read_bytes() == data
    assert stored(beside) == [attached.attachment_path]


@pytest.mark.parametrize("url", ["file:{}/MESSAGE-BUS.md", "sqlite:{}/bus.sqlite"])
def test_the_facts_come_through_the_bus_as_they_went_in(tmp_path: Path, beside: Path, url: str) -> None:
    attached = attach(file(tmp_path, b"\x001"), beside)
    bus = bus_at(url.format(beside))

    msg_id = bus.append(naming(attached)._replace(msg_id=""))

    assert bus.get(msg_id).extra["attachment"] == attached.facts
    assert checked(beside, bus.get(msg_id)).read_bytes() == b"\x001"


def test_the_same_content_is_stored_once_and_each_message_keeps_the_name_it_gave(tmp_path: Path, beside: Path) -> None:
    first = attach(file(tmp_path, b"same", "one.log"), beside)
    second = attach(file(tmp_path, b"same", "two.log"), beside)
    other = attach(file(tmp_path, b"other", "one.log"), beside)

    assert stored(beside) == sorted([first.attachment_path, other.attachment_path])
    assert second.attachment_path == first.attachment_path
    assert (first.facts["name"], second.facts["name"]) == ("one.log", "two.log")
    assert checked(beside, naming(second)).read_bytes() == b"same"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a b;c.txt", "a_b_c.txt"),
        ("--upload-pack=x", "upload-pack_x"),
        (".bashrc", "bashrc"),
        ("...", "attachment"),
        ("ü\n\x1b[31m.png", "____31m.png"),
        ("x" * 200 + ".tar.gz", "x" * 97 + ".gz"),
        (os.fsdecode(b"\xff.txt"), "_.txt"),
        (f"{SECRET}.txt", "_masked_.txt"),
    ],
)
@pytest.mark.usefixtures("secrets")
def test_the_stored_name_is_safe_on_any_file_system(tmp_path: Path, beside: Path, name: str, safe: str) -> None:
    attached = attach(file(tmp_path, b"x", name), beside)

    assert Path(attached.attachment_path).name == safe
    assert SECRET not in attached.facts["name"]
    assert checked(beside, naming(attached)).name == safe
    attached.facts["name"].encode()


@pytest.mark.usefixtures("secrets")
def test_text_is_masked_before_it_reaches_the_disk_and_binary_stays_as_it_is(tmp_path: Path, beside: Path) -> None:
    text = f"password: {SECRET}\nkey {KEY}\n".encode()

    masked = attach(file(tmp_path, text), beside)
    binary = attach(file(tmp_path, b"\xff" + text, "core"), beside)

    held = checked(beside, naming(masked)).read_bytes()
    assert held == f"password: {MASK}\nkey {MASK}\n".encode()
    assert masked.facts["size"] == str(len(held))
    assert masked.facts["sha256"] == sha256(held).hexdigest()
    assert checked(beside, naming(binary)).read_bytes() == b"\xff" + text


@pytest.mark.parametrize("between", ["\n", " ", "", "é", "-"])
@pytest.mark.usefixtures("secrets")
def test_a_secret_is_masked_wherever_the_pieces_of_a_long_text_meet(tmp_path: Path, beside: Path, between: str) -> None:
    chance = random.Random(between)
    words = [SECRET, KEY, "Bearer " + "t0ken" * 9, "word", "sk-no", "x" * 5000, "AKIA" + "A1" * 8, "Bearer\n"]
    for _ in range(3):
        text = between.join(chance.choices(words, k=2500))

        attached = attach(file(tmp_path, text.encode()), beside)

        assert checked(beside, naming(attached)).read_bytes() == mask(text, [SECRET]).encode()


def test_a_text_that_is_one_endless_secret_is_masked_as_one(tmp_path: Path, beside: Path) -> None:
    attached = attach(file(tmp_path, b"sk-" + b"a1" * (3 << 20)), beside)

    assert checked(beside, naming(attached)).read_bytes() == MASK.encode()


def test_memory_does_not_grow_with_the_file(tmp_path: Path, beside: Path) -> None:
    path = tmp_path / "long.log"
    with path.open("wb") as long:
        long.writelines(b"line %d\n" % number + b"y" * 1000 + b"\n" for number in range(40_000))

    tracemalloc.start()
    attached = attach(path, beside)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert int(attached.facts["size"]) == path.stat().st_size > 40_000_000
    assert peak < 12_000_000


def test_a_link_a_directory_or_a_pipe_is_refused_and_nothing_is_made(tmp_path: Path, beside: Path) -> None:
    (tmp_path / "link").symlink_to(file(tmp_path, b"mine", "precious"))
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")

    for name in ("link", "directory", "pipe"):
        with pytest.raises(UnsafePath):
            attach(tmp_path / name, beside)
    with pytest.raises(NotFound):
        attach(tmp_path / "missing", beside)
    with pytest.raises(NotFound):
        attach(tmp_path / "precious" / "below", beside)
    assert not beside.exists()


def test_what_cannot_be_read_is_bad_input(beside: Path) -> None:
    with pytest.raises(BadInput):
        attach(Path("/proc/self/mem"), beside)
    assert stored(beside) == []


@pytest.mark.parametrize("text", [b"", b"\xff"], ids=["text", "binary"])
def test_a_file_over_the_limit_is_refused_and_leaves_nothing(tmp_path: Path, beside: Path, text: bytes) -> None:
    path = file(tmp_path, text)
    os.truncate(path, MAX_ATTACHMENT + 1)

    with pytest.raises(TooLarge) as refused:
        attach(path, beside)

    assert refused.value.facts["limit"] == MAX_ATTACHMENT
    assert stored(beside) == []


@pytest.mark.parametrize(
    ("change", "size"),
    [
        (lambda path: os.truncate(path, path.stat().st_size + 4), 3 << 20),
        (lambda path: path.write_bytes(b"new " * (1 << 20)), 3 << 20),
        (lambda path: os.truncate(path, 1 << 20), 1 << 20),
    ],
    ids=["grows for ever", "is written anew", "gets shorter"],
)
def test_a_file_that_changes_while_it_is_copied_is_named_by_what_was_stored(
    tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], size: int
) -> None:
    path = file(tmp_path, b"\xff" * (3 << 20))
    real = durable.write_all
    monkeypatch.setattr(durable, "write_all", lambda fd, data: (real(fd, data), change(path)))

    attached = attach(path, beside)

    held = checked(beside, naming(attached)).read_bytes()
    assert len(held) == size
    assert (str(size), sha256(held).hexdigest()) == (attached.facts["size"], attached.facts["sha256"])


def test_all_is_flushed_before_the_message_can_name_it(
    tmp_path: Path, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    data, names, rename = durable.flush, durable.flush_directory, durable.rename

    def watched_data(fd: int) -> None:
        flushed.append("data")
        data(fd)

    def watched_names(path: Path) -> None:
        flushed.append(path.name)
        names(path)

    def watched_rename(path: Path, new: Path) -> None:
        flushed.append("rename")
        rename(path, new)

    monkeypatch.setattr(durable, "flush", watched_data)
    monkeypatch.setattr(durable, "flush_directory", watched_names)
    monkeypatch.setattr(durable, "rename", watched_rename)
    (beside / "attachments").mkdir(parents=True)  # by a neighbour that has not come to its flush
    attach(file(tmp_path, b"x"), beside)

    assert flushed == ["conductor", "attachments", "data", ".incoming", "rename", "attachments"]


def test_one_that_is_killed_while_it_copies_leaves_nothing_for_long(tmp_path: Path, beside: Path) -> None:
    dying = ATTACH.replace(
        "print(",
        "import os, signal\nfrom conductor_git import durable\n"
        "durable.flush = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\nprint(",
    )
    path = file(tmp_path, b"half\n")
    killed = subprocess.run([sys.executable, "-c", dying, path, beside], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert stored(beside) == ["attachments/.incoming/report.txt"]

    attached = attach(file(tmp_path, b"next\n", "next.txt"), beside)

    assert stored(beside) == [attached.attachment_path]


def test_eight_processes_at_once_store_every_content_once(tmp_path: Path, beside: Path) -> None:
    paths = [file(tmp_path, b"\xff" + b"%d" % (number % 3) * 300_000, f"{number}.bin") for number in range(8)]
    said = [running.communicate()[0].strip() for running in [attacher(path, beside) for path in paths]]

    assert len(stored(beside)) == 3
    for path, place in zip(paths, said, strict=True):
        assert (beside / place).read_bytes() == path.read_bytes()


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, beside: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = file(tmp_path, b"\xff" * 3_000_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(StateUnwritable):
            attach(path, beside)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert stored(beside) == []
    attach(path, beside)


def test_other_content_in_its_place_is_never_overwritten(tmp_path: Path, beside: Path) -> None:
    attached = attach(file(tmp_path, b"mine"), beside)
    (beside / attached.attachment_path).write_bytes(b"else")

    with pytest.raises(BusDamaged, match="other bytes"):
        attach(tmp_path / "report.txt", beside)

    assert (beside / attached.attachment_path).read_bytes() == b"else"


@pytest.mark.parametrize("part", ["attachments", "attachments/.incoming", "attachments/{}"])
def test_a_link_in_place_of_a_directory_of_ours_is_not_followed(tmp_path: Path, beside: Path, part: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    precious = file(elsewhere, b"mine")
    link = beside / part.format(sha256(b"mine").hexdigest()[:16])
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)

    with pytest.raises((UnsafePath, BusDamaged, StateUnwritable)):
        attach(file(tmp_path, b"mine"), beside)

    assert list(elsewhere.iterdir()) == [precious]


def altered(message: Message) -> Iterator[tuple[str, Message]]:
    """Messages that do not name what was stored with them."""
    path, facts = str(message.attachment_path), dict(message.extra["attachment"])  # type: ignore[call-overload]
    wrong_paths = (
        "attachments/../../secret",
        f"{path}/../report.txt",
        f"/{path}",
        "tasks/x/run-info.yaml",
        path.replace("attachments", "elsewhere"),
        path.replace(path[12:20], "00000000"),
        f"{path}\n",
        path.replace("report", ".report"),
        "attachments//report.txt",
    )
    yield from ((wrong, message._replace(attachment_path=wrong)) for wrong in wrong_paths)
    wrong_facts: tuple[object, ...] = (
        facts | {"size": "5"},
        facts | {"size": "-4"},
        facts | {"size": None},
        facts | {"sha256": "0" * 64},
        facts | {"sha256": facts["sha256"].upper()},
        facts | {"sha256": facts["sha256"] + "0"},
        {"name": "report.txt"},
        "report.txt",
        ["x"],
        None,
    )
    yield from ((repr(wrong), message._replace(extra={"attachment": wrong})) for wrong in wrong_facts)


def test_a_message_that_names_another_file_than_was_stored_with_it_gives_none(tmp_path: Path, beside: Path) -> None:
    message = naming(attach(file(tmp_path, b"mine"), beside))
    file(tmp_path, b"mine", "secret")

    assert checked(beside, message).read_bytes() == b"mine"
    for what, other in altered(message):
        with pytest.raises((BusDamaged, NotFound)):
            pytest.fail(f"{what}: {checked(beside, other)}")


def test_a_message_without_a_stored_file_has_none(beside: Path) -> None:
    for message in (FACT, FACT._replace(attachment_path="tasks/fix-login/reviews/2.md")):
        with pytest.raises(NotFound):
            checked(beside, message)


def test_a_stored_file_that_was_changed_replaced_or_removed_is_not_given_out(tmp_path: Path, beside: Path) -> None:
    message = naming(attach(file(tmp_path, b"mine"), beside))
    path = checked(beside, message)

    def refused() -> type[ConductorError]:
        with pytest.raises((BusDamaged, NotFound)) as error:
            checked(beside, message)
        return error.type

    path.write_bytes(b"else")
    assert refused() is BusDamaged
    path.write_bytes(b"mine and more")
    assert refused() is BusDamaged
    path.unlink()
    assert refused() is NotFound
    path.symlink_to(tmp_path / "report.txt")
    assert refused() is BusDamaged
    path.unlink()
    os.mkfifo(path)
    assert refused() is BusDamaged
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(tmp_path)
    assert refused() is BusDamaged


def test_a_copy_waits_for_another_that_is_under_way(tmp_path: Path, beside: Path) -> None:
    lock = beside / "attachments" / ".lock"
    with durable.lock(lock):
        waiting = attacher(file(tmp_path, b"x"), beside)
        kit.until(lambda: any(link.resolve() == lock for link in Path(f"/proc/{waiting.pid}/fd").iterdir()))
        assert stored(beside) == []
        assert waiting.poll() is None
    assert waiting.communicate()[0].strip() == stored(beside)[0]
