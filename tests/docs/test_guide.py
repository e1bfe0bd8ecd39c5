"""The guide that teaches agents: short, made from the prompt and the commands' help, the same wherever it stands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from conductor_git.cli.agent.guiding import guide, skill
from conductor_git.identity import find_context
from tests import kit
from tests.docs.blocks import TOP
from tests.docs.test_commands import complaints
from tests.kit import tasks

SKILL = TOP / "hooks" / "agents" / "SKILL.md"
MOST_LINES = 60


def test_the_skill_is_made_from_the_commands() -> None:
    if os.environ.get("UPDATE_DOCS"):
        SKILL.write_text(skill(), "utf-8")
    else:
        assert SKILL.read_text("utf-8") == skill(), "UPDATE_DOCS=1 makes it anew"


def test_the_guide_is_read_in_a_minute_and_names_only_what_there_is() -> None:
    lines = skill().splitlines()

    assert len(lines) < MOST_LINES
    assert complaints(skill()) == []
    assert re.findall(r"conductor-git (done|ctx|fail)", guide(None))


def test_in_a_worktree_the_guide_names_its_task(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")

    inside = kit.conductor("ctx", "--guide", cwd=place)
    outside = kit.conductor("ctx", "--guide", "--json", cwd=repository)

    assert (inside.code, outside.code) == (0, 0)
    assert "bus read --task prices" in inside.out
    assert outside.document["guide"] == guide(None)
    assert "Elsewhere you are no worker" in guide(None), "an AGENTS.md is read by coordinators too"
    assert "Elsewhere" not in inside.out


def test_the_guide_followed_as_it_stands_leads_from_a_new_worktree_to_the_review(repository: Path) -> None:
    assert kit.conductor("spawn", "prices", "-m", "Pears cost 5", "--no-start", cwd=repository).code == 0
    place = Path(tasks.record(repository, "prices").worktree)
    (place / "prices.txt").write_text("pears 5\n")
    lines = [line.strip() for line in guide(find_context(place, {}).context).splitlines() if line.startswith("    ")]
    script = "\n".join(line for line in lines if line.split()[1] not in ("spawn", "wait", "fail"))
    path = f"PATH={kit.console_script().parent}{os.pathsep}{os.environ['PATH']}"

    subprocess.run(["env", path, "sh", "-e", "-c", script], cwd=place, check=True, capture_output=True)

    assert tasks.record(repository, "prices").state == "IN_REVIEW"
