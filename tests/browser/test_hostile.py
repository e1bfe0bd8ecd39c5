"""What others write is text on every page: in prompts, titles, messages, branch and file names, diffs and reviews."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.actor import Actor
from conductor_git.message import Message
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.review import LineComment
from conductor_git.run import utcnow
from conductor_git.workflow import review
from tests import kit
from tests.browser.browsing import Visit
from tests.kit import tasks

pytestmark = kit.requires("chromium")

EVIL = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">'\"</textarea></title>"
FILE = "src/<script>taken()<\\script>\"' onload=x.py"
PAGES = (
    "/",
    "/tasks/evil",
    "/tasks/evil/review",
    "/tasks/evil/review?view=split",
    "/queue",
    "/bus",
    "/bus?q=script",
    "/collisions",
    "/plans",
    "/plans/%3Cb%3Eplan",
    "/new",
)


@pytest.fixture
def evil(repository: Path) -> None:
    kit.git(repository, "branch", "<b>x'\"onload=1</b>")
    other = tasks.spawn(repository, "evil-twin", title=EVIL, plan="<b>plan")
    worktree = tasks.spawn(repository, "evil", title=EVIL, prompt=EVIL, plan="<b>plan", target="<b>x'\"onload=1</b>")
    for place in (worktree, other):
        tasks.commit(place, {FILE: f'# {EVIL}\nx = "{EVIL}"\n', "src/main.py": f"{place}{EVIL}\n"}, EVIL)
    tasks.hand_in(repository, "evil")
    project, task_id = open_project(repository), parse_task_id("evil")
    comments = [LineComment(FILE, 1, EVIL)]
    review.request_changes(project, task_id, by=Actor("<b>eve"), at=utcnow(), body=EVIL, comments=comments)
    project.bus.append(Message("QUESTION", EVIL, task_id="evil", meta={"by": EVIL}))


@pytest.mark.usefixtures("evil")
@pytest.mark.parametrize("path", PAGES)
def test_script_in_what_others_wrote_is_shown_and_not_run(visit: Visit, path: str) -> None:
    page = visit.page
    page.goto(path)
    assert "taken" not in page.title()
    assert page.locator("main script, main img[src='x'], main b").count() == 0
    assert page.evaluate("document.querySelectorAll('main [onerror], main [onload]').length") == 0


@pytest.mark.usefixtures("evil")
def test_the_text_itself_is_there(visit: Visit) -> None:
    visit.page.goto("/tasks/evil/review")
    assert EVIL in visit.page.locator(".remark .said").first.inner_text()
    assert FILE in visit.page.locator(".file-head h2").all_inner_texts()
