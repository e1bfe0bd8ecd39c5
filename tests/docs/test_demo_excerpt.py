"""The first screen of the README shows what `make demo` prints, and nothing is left of it."""

from __future__ import annotations

import re
from pathlib import Path

from tests import kit
from tests.docs.blocks import TOP, matches
from tests.docs.terminal import comparable

_PLACE = re.compile(r"\S*/conductor-git-demo-\w+")


def test_the_readme_shows_what_the_demo_prints_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    block = (TOP / "README.md").read_text("utf-8").split("```text\n")[1].partition("```")[0]
    command, *shown = _PLACE.sub("conductor-git-demo", block).rstrip("\n").split("\n")

    done = kit.conductor("demo", cwd=tmp_path, env={"TMPDIR": str(tmp_path)})

    assert done.code == 0, done.out + done.err
    assert list(tmp_path.iterdir()) == []
    assert "\x1b" not in done.out
    assert command == "$ make demo"
    assert "\tconductor-git demo $(ARGS)" in (TOP / "Makefile").read_text().replace("@$(BIN)/", "")
    printed = _PLACE.sub("conductor-git-demo", done.out).rstrip("\n").split("\n")
    assert matches(comparable(tuple(shown)), comparable(tuple(printed))), done.out
