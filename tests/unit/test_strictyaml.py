"""strictyaml keeps what it writes, refuses what our records never hold, and does so at once."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_git.strictyaml import LIMIT, MAX_DEPTH, BadYaml, Tree, read, read_marked, write

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
LOOKALIKES = st.sampled_from(
    "null ~ NULL true Yes on n y 1 -0 +12 0x1f 0o17 017 0b1 1_000 1.5 .5 1e10 12345678e90 .inf -.INF .nan 1:30 "
    "12:30:45 2026-11-20 2026-11-20T10:15:00Z 2026-1-1 << = - ? : & * ! | > % @ ` # [] {} --- ... '' \"".split(" ")
)
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - what a record must not hold
STRINGS = TEXT | LOOKALIKES


def trees(depth: int = MAX_DEPTH - 1) -> st.SearchStrategy[Any]:
    leaves = st.none() | STRINGS
    if depth == 1:
        return leaves
    inner = st.deferred(lambda: trees(depth - 1))
    return leaves | st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3)


MAPPINGS = st.dictionaries(STRINGS, trees(), max_size=4)


@given(MAPPINGS)
@example({"a": "x\ry\nz", "b": "\n", "c": "a\n\n", "d": "\x85\n\u2028", "e": " a\nb", "f": "a \nb", "\n": "\t\n"})
@example({"k" * 2000: "v" * 5000, "#": "a # b", "-": "- a"})
def test_what_is_written_is_read_back(tree: dict[str, Tree]) -> None:
    assert read(write(tree)) == tree


@given(MAPPINGS)
def test_order_is_kept(tree: dict[str, Tree]) -> None:
    back = read(write(tree))

    assert isinstance(back, dict)
    assert list(back) == list(tree)


@given(st.dictionaries(STRINGS.filter(bool), STRINGS, min_size=1))
def test_other_readers_get_strings_where_strings_were_written(tree: dict[str, str]) -> None:
    assert yaml.safe_load(write(tree)) == tree


@pytest.mark.parametrize("text", ["12345678e90", "1e10", "0o17", "0x1F", "y", "N", "2026-11-20", "1:30", "null", ""])
def test_a_string_that_looks_typed_is_quoted(text: str) -> None:
    assert write({"key": text}) == f"key: '{text}'\n".encode()


@pytest.mark.parametrize("text", ["fix-login", "worker/fix-login", "9b2e0f", "/abs/path", "Fix the login", "claude"])
def test_an_ordinary_string_is_written_plain(text: str) -> None:
    assert write({"key": text}) == f"key: {text}\n".encode()


def test_typed_scalars_are_written_plain_and_read_as_their_text() -> None:
    noon = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)

    data = write({"int": 7, "float": 1763633700.12, "bool": True, "none": None, "at": noon})

    assert data == b"int: 7\nfloat: 1763633700.12\nbool: true\nnone: null\nat: 2026-11-20T12:00:00.123456Z\n"
    assert read(data) == {
        "int": "7",
        "float": "1763633700.12",
        "bool": "true",
        "none": None,
        "at": "2026-11-20T12:00:00.123456Z",
    }


def test_a_long_line_stays_one_line() -> None:
    assert write({"title": "word " * 100 + "end"}).count(b"\n") == 1


def test_several_lines_are_written_as_a_literal_block() -> None:
    assert write({"body": "one\n\ntwo\n"}) == b"body: |\n  one\n\n  two\n"


def test_a_value_used_twice_is_written_twice() -> None:
    shared = ["a"]

    assert read(write({"one": shared, "two": shared})) == {"one": ["a"], "two": ["a"]}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_a_plain_null_is_none_and_a_quoted_one_a_string(text: str) -> None:
    assert read(f"key: {text}".encode()) == {"key": None}
    assert read(f"key: '{text}'".encode()) == {"key": text}


def test_no_document_reads_as_none() -> None:
    assert read(b"") is None
    assert read(b"# only a comment\n") is None


@pytest.mark.parametrize(
    ("data", "line", "column", "reason"),
    [
        (b"a: 1\nb: &x 1", 2, 4, "anchor"),
        (b"a: *x", 1, 4, "alias"),
        (b"*x : a", 1, 1, "alias"),
        (b"a: !!python/object:os.system x", 1, 4, "tag"),
        (b"a: ! x", 1, 4, "tag"),
        (b"!!map {}", 1, 1, "tag"),
        (b"a: [&x b]", 1, 5, "anchor"),
        (b"%TAG ! tag:example,2000:\n---\na: b", 1, 1, "TAG"),
        (b"a: 1\nb: 2\na: 3", 3, 1, "duplicate key 'a'"),
        (b"b: {'a': 1, a: 2}", 1, 13, "duplicate key 'a'"),
        (b"? [a]\n: b", 1, 3, "key must be a string"),
        (b"null: b", 1, 1, "key must be a string"),
        (b"a: 1\n---\nb: 2", 2, 1, "second document"),
        (b"a: 1\nb: 'x", 2, 6, "end of stream"),
        (b"a: 1\nb: x\xffy", 2, 5, "UTF-8"),
        (b"a: 1\nb: x\x01", 2, 5, "character"),
        (b"a: 1\n\tb: 2", 2, 1, "tab"),
        (b"a: 1\nb: [x, y\nc: 1\n", 3, 2, "for the list that begins in line 2"),
        (b"a: 1\nb: 'x\nc: 1\n", 4, 1, "for the quoted text that begins in line 2"),
    ],
)
def test_what_our_records_never_hold_is_refused_with_its_place(
    data: bytes, line: int, column: int, reason: str
) -> None:
    with pytest.raises(BadYaml, match=reason) as refused:
        read(data)

    assert (refused.value.line, refused.value.column) == (line, column)


def nested(depth: int, start: str, end: str) -> bytes:
    return (start * depth + end * depth).encode()


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ("{a: ", "}")])
def test_eight_levels_are_read_and_nine_refused(start: str, end: str) -> None:
    read(nested(MAX_DEPTH, start, end))

    with pytest.raises(BadYaml, match="8 deep"):
        read(nested(MAX_DEPTH + 1, start, end))


def test_what_would_be_too_deep_to_read_is_not_written() -> None:
    tree: Any = "leaf"
    for _ in range(MAX_DEPTH):
        tree = {"a": tree}
    assert read(write(tree)) == tree

    with pytest.raises(BadYaml, match="8 deep"):
        write({"a": tree})


def bomb() -> bytes:
    """The billion laughs: small on disk, gigabytes once its aliases are followed."""
    lines = ['a: &a ["lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol"]']
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "data",
    [bomb(), b"[" * LIMIT, b"{" * LIMIT, b"- " * (LIMIT // 2), b"? " * (LIMIT // 2), b"a: [" * (LIMIT // 4)],
    ids=["billion laughs", "brackets", "braces", "dashes", "questions", "maps"],
)
def test_a_bomb_is_refused_in_the_memory_of_a_few_records(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadYaml):
            read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * LIMIT


def test_what_is_over_the_limit_is_neither_read_nor_written() -> None:
    with pytest.raises(BadYaml, match="more than 65536"):
        read(b"#" * (LIMIT + 1))
    with pytest.raises(BadYaml, match="more than 65536"):
        write({"key": "x" * LIMIT})
    assert read(b"#" * (LIMIT + 1), limit=LIMIT + 1) is None


@pytest.mark.parametrize("value", [object(), b"bytes", NAIVE, float("nan"), float("inf"), {1: "a"}, "\ud800"])
def test_what_cannot_be_read_back_is_not_written(value: object) -> None:
    with pytest.raises(BadYaml):
        write({"key": value})


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example("\ufeff# a".encode())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        tree = read(data)
    except BadYaml as refused:
        assert refused.line >= 1
        assert refused.column >= 1
    else:
        assert tree is None or isinstance(tree, str | list | dict)


def test_marks_tell_the_line_of_every_key_and_entry() -> None:
    tree, lines = read_marked(b"# top\na: 1\nb:\n  - x\n  - c: 2\n    d:\n      e\n")

    assert tree == {"a": "1", "b": ["x", {"c": "2", "d": "e"}]}
    assert lines == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
        ("b", 1, "d"): 6,
    }
