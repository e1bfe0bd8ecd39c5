"""The conversation that a message belongs to, on every backend and in whatever order the messages came."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from conductor_git.bus.base import Bus
from conductor_git.bus.file import FileBus
from conductor_git.bus.thread import depths, thread
from conductor_git.errors import UnknownCursor
from conductor_git.frames.frame import encode
from conductor_git.message import Message, Parent, make_msg_id, timestamp
from tests.conformance.backends import FACT

NOON = 1_795_174_502_123_456_789
Parents = Mapping[str, Sequence[str]]


def answering(*parents: str) -> Message:
    return FACT._replace(parents=tuple(Parent(parent, "answers") for parent in parents))


def foreign(parents: Parents) -> list[Message]:
    """Messages of another tool, in this order."""
    return [
        FACT._replace(msg_id=msg_id, ts=timestamp(NOON), parents=tuple(map(Parent, above)), meta={})
        for msg_id, above in parents.items()
    ]


def ids(messages: Sequence[Message]) -> list[str]:
    return [message.msg_id for message in messages]


def conversation(parents: Parents, msg_id: str) -> set[str]:
    """The same by the plainest way: until nothing more is found."""
    above = {msg_id}
    while more := {parent for known in above for parent in parents[known] if parent in parents} - above:
        above |= more
    below = set(above)
    while more := {known for known, named in parents.items() if below & set(named)} - below:
        below |= more
    return below


def test_a_thread_is_the_ancestors_and_all_that_descends_from_them_oldest_first(bus: Bus) -> None:
    question = bus.append(FACT._replace(type="QUESTION"))
    bus.append(FACT)
    answer = bus.append(answering(question))
    other = bus.append(answering(question))
    bus.append(answering(bus.append(FACT)))
    thanks = bus.append(answering(answer))

    whole = [question, answer, other, thanks]
    for msg_id in whole:
        assert ids(thread(bus, msg_id)) == whole
    assert thread(bus, answer) == [bus.get(msg_id) for msg_id in whole]


def test_an_answer_to_two_conversations_belongs_to_both_and_does_not_join_their_other_answers(bus: Bus) -> None:
    first, second = bus.append(FACT), bus.append(FACT)
    aside = bus.append(answering(second))
    both = bus.append(answering(first, second))

    assert ids(thread(bus, both)) == [first, second, aside, both]
    assert ids(thread(bus, first)) == [first, both]


GONE = make_msg_id(NOON - 10**18, 4242, 0)


@pytest.mark.parametrize("parents", [(GONE,), ("not-here",), (GONE, "not-here")])
def test_parents_that_are_not_there_are_passed_over_and_join_nobody(bus: Bus, parents: Sequence[str]) -> None:
    bus.append(FACT)
    first = bus.append(answering(*parents))
    second = bus.append(answering(*parents))

    assert ids(thread(bus, first)) == [first]
    assert ids(thread(bus, second)) == [second]


@pytest.mark.parametrize("unknown", ["", "x", make_msg_id(NOON, 1, 1)])
def test_a_thread_of_an_unknown_message_is_refused(bus: Bus, unknown: str) -> None:
    bus.append(FACT)

    with pytest.raises(UnknownCursor):
        thread(bus, unknown)


def test_parents_may_come_after_their_children(bus: Bus) -> None:
    bus.adopt(foreign({"c": ["b"], "x": ["y"], "b": ["a"], "d": ["a"], "y": [], "a": []}))

    for msg_id in "abcd":
        assert ids(thread(bus, msg_id)) == ["c", "b", "d", "a"]
    assert ids(thread(bus, "y")) == ["x", "y"]


def test_messages_that_answer_each_other_in_a_circle_are_one_thread(bus: Bus) -> None:
    bus.adopt(foreign({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"], "self": ["self"], "e": []}))

    assert ids(thread(bus, "b")) == ["a", "b", "c", "d"]
    assert ids(thread(bus, "self")) == ["self"]
    assert set(depths(thread(bus, "d"))) == set("abcd")


def test_any_order_and_any_shape_of_ids_gives_what_the_plainest_search_gives(bus: Bus) -> None:
    chance = random.Random(7)
    names = [f"id-{number}" for number in range(40)] + [make_msg_id(NOON + number, 1, 0) for number in range(40)]
    parents = {name: chance.sample(names, chance.choice((0, 0, 1, 1, 2))) for name in names}
    shuffled = sorted(names, key=lambda name: name if name.startswith("MSG-") else f"MSG-{chance.random()}")
    bus.adopt(foreign({name: parents[name] for name in shuffled}))

    for name in chance.sample(names, 20):
        assert ids(thread(bus, name)) == [known for known in shuffled if known in conversation(parents, name)]


FIRST, SECOND, THIRD, LAST = (make_msg_id(NOON + number, 1, 0) for number in range(4))


@pytest.mark.parametrize(
    "parents",
    [
        {THIRD: [SECOND], SECOND: [FIRST], FIRST: []},
        {FIRST: [], LAST: [], THIRD: [SECOND], SECOND: [FIRST]},
        {FIRST: [], SECOND: [THIRD], THIRD: [FIRST]},
    ],
    ids=["backwards", "ids that fall", "a parent that comes later"],
)
def test_a_file_that_is_out_of_order_hides_no_answer(tmp_path: Path, parents: Parents) -> None:
    path = tmp_path / "MESSAGE-BUS.md"
    path.write_bytes(b"".join(map(encode, foreign(parents))))

    whole = [msg_id for msg_id in parents if msg_id != LAST]
    for msg_id in whole:
        assert ids(thread(FileBus(path), msg_id)) == whole


def test_a_thread_goes_through_closed_segments(tmp_path: Path) -> None:
    bus = FileBus(tmp_path / "MESSAGE-BUS.md", segment_bytes=2000)
    whole = [bus.append(FACT)]
    for _ in range(40):
        bus.append(FACT)
        whole.append(bus.append(answering(whole[-1])))

    assert len(list(tmp_path.glob("MESSAGE-BUS.MSG-*"))) > 3
    assert ids(thread(bus, whole[20])) == whole


def test_a_chain_of_thousands_costs_no_recursion_and_no_search_for_each(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number}" for number in range(3000)]
    chain = foreign({name: names[number + 1 : number + 2] for number, name in enumerate(names)})
    bus.adopt(chain)

    looked_for: list[str] = []
    real = bus.get

    def watched(msg_id: str) -> Message:
        looked_for.append(msg_id)
        return real(msg_id)

    monkeypatch.setattr(bus, "get", watched)
    found = thread(bus, "n1500")

    assert looked_for == ["n1500"]
    assert ids(found) == names
    assert depths(found) == {name: 2999 - number for number, name in enumerate(names)}


def test_depths_count_from_the_first_parent_that_is_shown() -> None:
    messages = foreign({"a": [], "b": ["a"], "c": ["gone", "b"], "d": ["a", "c"], "e": ["gone"], "f": ["f"]})

    assert depths(messages) == {"a": 0, "b": 1, "c": 2, "d": 1, "e": 0, "f": 0}
    assert depths([]) == {}
