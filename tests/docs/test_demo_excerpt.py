"""The first screen of the README shows what `make demo` prints."""

from __future__ import annotations

import re

from tests.docs.blocks import TOP, matches
from tests.docs.terminal import comparable
from tests.integration.test_demo import demo

_PLACE = re.compile(r"conductor-git-demo-\w+")


def test_the_readme_shows_what_the_demo_prints() -> None:
    block = (TOP / "README.md").read_text("utf-8").split("```text\n")[1].partition("```")[0]
    command, *shown = _PLACE.sub("conductor-git-demo", block).rstrip("\n").split("\n")

    done = demo()

    assert command == "$ make demo"
    assert "\tconductor-git demo $(ARGS)" in (TOP / "Makefile").read_text().replace("@$(BIN)/", "")
    printed = _PLACE.sub("conductor-git-demo", done.out).rstrip("\n").split("\n")
    assert matches(comparable(tuple(shown)), comparable(tuple(printed))), done.out
