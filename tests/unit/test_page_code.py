"""Source text as HTML: coloured, escaped, with changed words marked, whatever is in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from conductor_git.server.pages.code import MOST_COLOURED, changed_words, coloured, marked

EVIL = "<script>&\"'</script>"
TEXT = st.lists(st.sampled_from([*"ab <>&\"'=()\n", '"""', "def ", "é", "→"]), max_size=40).map("".join)


def text_of(lines: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return "\n".join("".join(piece for piece, _ in line) for line in lines)


@given(TEXT, st.sampled_from(["a.py", "a.html", "a.unknown", "Makefile"]))
def test_the_lines_of_a_file_are_its_text_whatever_its_colours(text: str, path: str) -> None:
    assert text_of(coloured(path, text)) == text


def test_a_keyword_a_string_and_a_comment_have_their_classes() -> None:
    ((*pieces,),) = coloured("a.py", 'def f(): return "x"  # why')
    assert {("def", "t-k"), ("f", "t-f"), ("return", "t-k"), ("# why", "t-c")} <= set(pieces)
    assert "".join(text for text, css in pieces if css == "t-s") == '"x"'


def test_a_string_over_many_lines_is_coloured_on_each_of_them() -> None:
    lines = coloured("a.py", 'x = """one\ntwo\nthree"""\n')
    assert [{css for text, css in line if text.strip(" =")} - {""} for line in lines[:3]] == [{"t-s"}] * 3


def test_a_file_that_is_too_long_or_of_no_known_language_has_no_colours() -> None:
    for path, text in (("a.py", "def f(): pass\n" * (MOST_COLOURED // 10)), ("a.unknown", "def f(): pass\n")):
        assert {css for line in coloured(path, text) for _, css in line} == {""}


def test_line_ends_of_windows_are_no_part_of_a_line_and_other_carriage_returns_are_shown() -> None:
    for path in ("a.py", "a.unknown"):
        assert text_of(coloured(path, "x = 1\r\ny = '\r'\r\n")) == "x = 1\ny = '␍'\n"


def test_html_in_code_is_text_also_where_it_is_marked_or_coloured() -> None:
    told = marked([(EVIL, "t-s"), (EVIL, "")], [(3, 30)])
    assert "<script" not in told
    assert Markup(told).striptags() == EVIL + EVIL


@given(TEXT, TEXT)
def test_marked_words_leave_the_text_as_it_is(old: str, new: str) -> None:
    before, after = changed_words(old, new)
    for text, spans in ((old, before), (new, after)):
        told = marked([(text[:5], "t-k"), (text[5:], "")], spans)
        assert Markup(re.sub('</?(mark|span class="t-k"|span)>', "", told)).unescape() == text
    assert remains(old, before) == remains(new, after) or not (before or after)


def remains(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    """What is in both versions."""
    return "".join(one for at, one in enumerate(text) if not any(start <= at < end for start, end in spans))


def test_whole_words_are_marked() -> None:
    assert changed_words("price = total * 2", "price = totals * 2") == (((8, 13),), ((8, 14),))


@pytest.mark.parametrize(("old", "new"), [("alpha beta", "x + y == z"), ("a" * 1001, "a" * 1000 + "b")])
def test_lines_that_are_too_different_or_too_long_are_not_compared(old: str, new: str) -> None:
    assert changed_words(old, new) == ((), ())
