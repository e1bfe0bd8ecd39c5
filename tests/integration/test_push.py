"""The push after a landing: plain, joined with what the remote has gained, never forced, and never anybody's wait."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conductor_git.errors import Conflict, GateFailed
from conductor_git.names import CommitId
from conductor_git.project import Project, open_project
from conductor_git.workflow.landing.remote import plain, push_target
from tests import kit
from tests.kit import tasks
from tests.kit.interposed import happened, interpose

MAIN = "refs/heads/main"


@pytest.fixture
def remote(repository: Path, tmp_path: Path) -> Path:
    """A bare repository that `origin` of the repository names, at the same commit."""
    place = tmp_path / "remote.git"
    kit.git(repository, "clone", "--quiet", "--bare", str(repository), str(place))
    kit.git(repository, "remote", "add", "origin", str(place))
    return place


@pytest.fixture
def project(repository: Path, remote: Path) -> Project:
    assert remote.is_dir()
    return open_project(repository)


@pytest.fixture
def colleague(remote: Path, tmp_path: Path) -> Path:
    """A clone of the remote, from which somebody else pushes."""
    place = tmp_path / "colleague"
    kit.git(remote, "clone", "--quiet", str(remote), str(place))
    return place


def push_theirs(colleague: Path, name: str) -> str:
    commit = tasks.commit(colleague, {name: "theirs\n"}, subject=f"Add {name}")
    kit.git(colleague, "push", "--quiet", "origin", "main")
    return commit


@dataclass
class Joining:
    """A join as plain git makes it in the repository's checkout."""

    repository: Path
    asked: list[str] = field(default_factory=list)

    def __call__(self, theirs: CommitId) -> CommitId:
        self.asked.append(theirs)
        kit.git(self.repository, "merge", "--quiet", "--no-edit", theirs)
        return CommitId(kit.git(self.repository, "rev-parse", "main"))


def never(theirs: CommitId) -> CommitId:
    raise AssertionError(f"nothing is to be joined, but {theirs}")


def at(place: Path) -> str:
    return kit.git(place, "rev-parse", MAIN)


def refs(place: Path) -> str:
    return kit.git(place, "for-each-ref", "--format=%(refname) %(objectname)")


def require_remote_moved_on(remote: Path, *commits: str) -> None:
    for commit in commits:
        kit.git(remote, "merge-base", "--is-ancestor", commit, MAIN)


def test_the_remote_gets_the_commit_that_the_target_is_at_and_nothing_else(
    repository: Path, project: Project, remote: Path
) -> None:
    kit.git(repository, "tag", "--annotate", "-m", "v1", "v1")
    kit.git(repository, "branch", "other")
    kit.git(repository, "config", "--global", "push.followTags", "true")
    mine = tasks.commit(repository, {"a.txt": "mine\n"})

    pushed = push_target(project, "origin", MAIN, never)

    assert (pushed.tip, pushed.rejected, pushed.joined) == (mine, "", ())
    assert refs(remote) == f"{MAIN} {mine}"


def test_what_the_remote_has_gained_is_joined_and_pushed(
    repository: Path, project: Project, remote: Path, colleague: Path
) -> None:
    mine = tasks.commit(repository, {"a.txt": "mine\n"})
    theirs = push_theirs(colleague, "b.txt")
    join = Joining(repository)

    pushed = push_target(project, "origin", MAIN, join)

    assert (join.asked, pushed.joined, pushed.rejected) == ([theirs], (theirs,), "")
    assert at(repository) == at(remote) == pushed.tip
    require_remote_moved_on(remote, mine, theirs)


def test_a_fetch_moves_no_ref_of_a_person_and_leaves_no_file(
    repository: Path, project: Project, remote: Path, colleague: Path
) -> None:
    kit.git(repository, "fetch", "--quiet", "origin")
    kit.git(repository, "config", "--global", "fetch.prune", "true")
    kit.git(colleague, "tag", "theirs")
    tasks.commit(repository, {"a.txt": "mine\n"})
    theirs = push_theirs(colleague, "b.txt")
    kit.git(colleague, "push", "--quiet", "origin", "theirs")
    before, there = refs(repository), kit.snapshot(repository)
    fetched = (repository / ".git" / "FETCH_HEAD").read_bytes()

    def refuse(commit: CommitId) -> CommitId:
        raise Conflict("the two conflict in a.txt", hint="git merge", files=["a.txt"], commit=commit)

    pushed = push_target(project, "origin", MAIN, refuse)

    assert "the two conflict in a.txt" in pushed.rejected
    private = f"refs/conductor/remotes/origin/main {theirs}"
    assert refs(repository).splitlines() == sorted([*before.splitlines(), private])
    assert kit.snapshot(repository) == there
    assert (repository / ".git" / "FETCH_HEAD").read_bytes() == fetched
    assert at(remote) == theirs


@pytest.mark.parametrize("error", [Conflict("both changed a.txt", files=["a.txt"]), GateFailed("gate tests is red")])
def test_what_does_not_join_stays_here_and_both_sides_stay_where_they_are(
    repository: Path, project: Project, remote: Path, colleague: Path, error: Exception
) -> None:
    mine = tasks.commit(repository, {"a.txt": "mine\n"})
    theirs = push_theirs(colleague, "a.txt")

    def refuse(commit: CommitId) -> CommitId:
        assert commit == theirs
        raise error

    pushed = push_target(project, "origin", MAIN, refuse)

    assert pushed.tip == at(repository) == mine
    assert at(remote) == theirs
    assert str(error) in pushed.rejected
    assert "commits of its own" in pushed.rejected


def test_a_remote_that_moves_at_every_push_is_left_after_three(
    repository: Path, project: Project, remote: Path, colleague: Path
) -> None:
    tasks.commit(repository, {"a.txt": "mine\n"})
    push_theirs(colleague, "0.txt")
    rounds = iter(range(1, 100))
    join = Joining(repository)

    def moving(theirs: CommitId) -> CommitId:
        tip = join(theirs)
        push_theirs(colleague, f"{next(rounds)}.txt")
        return tip

    pushed = push_target(project, "origin", MAIN, moving)

    assert len(join.asked) == len(pushed.joined) == 2
    assert "fetch first" in pushed.rejected
    assert at(repository) == pushed.tip
    assert at(remote) == at(colleague)


def test_a_hook_of_the_remote_is_quoted_in_its_own_words_and_not_asked_twice(
    repository: Path, project: Project, remote: Path, tmp_path: Path
) -> None:
    before, asked = at(remote), tmp_path / "asked"
    make_hook(remote, "pre-receive", f"echo once >>{shlex.quote(str(asked))}; echo 'no pushes on a Friday'; exit 1")
    tasks.commit(repository, {"a.txt": "mine\n"})

    pushed = push_target(project, "origin", MAIN, never)

    assert "no pushes on a Friday" in pushed.rejected
    assert "pre-receive hook declined" in pushed.rejected
    assert asked.read_text() == "once\n"
    assert at(remote) == before


def make_hook(git_dir: Path, name: str, script: str) -> None:
    hook = git_dir / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def test_hooks_of_the_repository_do_not_run(repository: Path, project: Project, remote: Path, tmp_path: Path) -> None:
    for name in ("pre-push", "reference-transaction"):
        make_hook(repository / ".git", name, f"touch {shlex.quote(str(tmp_path))}/{name}; exit 1")
    kit.git(repository, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", "mine")

    assert push_target(project, "origin", MAIN, never).rejected == ""

    assert at(remote) == at(repository)
    assert not any((tmp_path / name).exists() for name in ("pre-push", "reference-transaction"))


def test_a_remote_that_hangs_is_ended_with_all_that_the_push_had_started(
    repository: Path, project: Project, remote: Path, tmp_path: Path
) -> None:
    pid, wait = tmp_path / "pid", tmp_path / "wait"
    os.mkfifo(wait)
    make_hook(remote, "pre-receive", f"echo $$ >{shlex.quote(str(pid))}; read line <{shlex.quote(str(wait))}")
    tasks.commit(repository, {"a.txt": "mine\n"})
    before = at(remote)

    pushed = push_target(project, "origin", MAIN, never, seconds=2)

    assert "did not end within 2 s" in pushed.rejected
    assert at(remote) == before
    hook = int(pid.read_text())
    kit.until(lambda: not is_running(hook))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ext::touch {marker}", "transport 'ext' not allowed"),
        ("{nowhere}", "does not appear to be a git repository"),
        ("--upload-pack=touch {marker}", "strange pathname"),
    ],
)
def test_a_remote_that_is_none_is_refused_and_runs_nothing(
    repository: Path, tmp_path: Path, url: str, words: str
) -> None:
    marker = tmp_path / "marker"
    kit.git(repository, "config", "remote.origin.url", url.format(marker=marker, nowhere=tmp_path / "nowhere"))

    pushed = push_target(open_project(repository), "origin", MAIN, never)

    assert words in pushed.rejected
    assert not marker.exists()


def test_nobody_is_asked_for_credentials(repository: Path, project: Project, tmp_path: Path) -> None:
    script = tmp_path / "ssh"
    script.write_text('#!/bin/sh\n(exec </dev/tty) 2>/dev/null && echo "there is a terminal" >&2\nenv >&2\nexit 255\n')
    script.chmod(0o755)
    kit.git(repository, "config", "--global", "core.sshCommand", str(script))
    kit.git(repository, "config", "remote.origin.url", "ssh://git@example.invalid/acme")

    pushed = push_target(project, "origin", MAIN, never)

    assert "there is a terminal" not in pushed.rejected
    lines = pushed.rejected.splitlines()
    assert {"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS_REQUIRE=never"} <= set(lines)


def test_a_config_that_changed_since_it_was_agreed_to_is_not_pushed_with(
    repository: Path, project: Project, remote: Path, tmp_path: Path
) -> None:
    tasks.spawn(repository, "prices")
    tasks.commit(repository, {"a.txt": "mine\n"})
    marker = tmp_path / "marker"
    kit.git(repository, "config", "remote.origin.receivepack", f"touch {shlex.quote(str(marker))}; git-receive-pack")
    before = at(remote)

    pushed = push_target(project, "origin", MAIN, never)

    assert "remote.origin.receivepack" in pushed.rejected
    assert at(remote) == before
    assert not marker.exists()
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    assert push_target(project, "origin", MAIN, never).rejected == ""
    assert marker.exists()


def test_a_target_that_is_gone_on_the_remote_is_made_again(repository: Path, project: Project, remote: Path) -> None:
    kit.git(remote, "update-ref", "-d", MAIN)

    assert push_target(project, "origin", MAIN, never).rejected == ""

    assert at(remote) == at(repository)


def test_what_a_remote_says_is_kept_without_secrets_controls_or_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "correct-horse-battery")
    said = (
        "fatal: unable to access 'https://ada:s3cret@example.org/acme': 403\n"
        "https://x-oauth@example.org correct-horse-battery \x1b[2J\x07 ssh://git@example.org/acme\n" + "x" * 5000
    )

    told = plain(said)

    assert "s3cret" not in told
    assert "x-oauth" not in told
    assert "correct-horse-battery" not in told
    assert "https://[masked]@example.org/acme" in told
    assert "ssh://git@example.org/acme" in told
    assert "\x1b" not in told
    assert "\x07" not in told
    assert len(told) <= 2000


def test_a_landing_whose_push_is_refused_stands_and_says_so(repository: Path, remote: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "push: origin\n"})
    make_hook(remote, "update", "echo 'main is frozen' >&2; exit 1")
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    before = at(remote)

    error = tasks.refused(tasks.merge(repository, "prices"), "PUSH_REJECTED", 20)

    assert "main is frozen" in error["message"]
    assert at(remote) == before
    run = tasks.record(repository, "prices")
    assert (run.state, run.merge_commit) == ("COMPLETED", at(repository))
    assert error["merge_commit"] == at(repository)
    (told,) = tasks.told(repository, "ERROR", "prices")
    assert "main is frozen" in told


def test_a_landing_is_pushed_where_the_config_names_a_remote(repository: Path, remote: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "push: origin\n"})
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    tasks.landed(tasks.merge(repository, "prices"))

    assert at(remote) == at(repository) == tasks.record(repository, "prices").merge_commit


def test_hooks_of_the_repository_that_guard_what_others_push_here_have_no_say_in_a_landing(repository: Path) -> None:
    for name in ("pre-receive", "update", "post-receive"):
        make_hook(repository / ".git", name, "exit 1")
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    tasks.landed(tasks.merge(repository, "prices"))


def test_a_push_whose_lock_another_push_holds_is_tried_again(
    repository: Path, project: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.commit(repository, {"a.txt": "mine\n"})
    lock = remote / "refs/heads/main.lock"
    lock.touch()
    for name, value in interpose(tmp_path / "bin", "fetch", after=f"rm {shlex.quote(str(lock))}").items():
        monkeypatch.setenv(name, value)

    pushed = push_target(project, "origin", MAIN, never)

    assert happened(tmp_path / "bin")
    assert pushed.rejected == ""
    assert at(remote) == at(repository)
