"""Gates judge the merged tree, by the target's own rules, and only what a person has agreed to is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.landing import evidence
from conductor_git.layout import Layout
from conductor_git.processtable import identify, is_alive
from tests import kit
from tests.kit import tasks
from tests.kit.keyboard import at_a_shell

ONE_NAME = "! grep -rhoE '^def [a-z]+' src | sort | uniq -d | grep ."
"""Red where two files define a function of the same name."""


def have_gates(checkout: Path, *gates: tuple[str, str], **more: str) -> str:
    lines = ["gates:"]
    for name, run in gates:
        quoted = run.replace("'", "''")
        lines += [f"  - name: {name}", f"    run: '{quoted}'", *(f"    {key}: {value}" for key, value in more.items())]
    return tasks.commit(checkout, {".conductor.yaml": "\n".join(lines) + "\n"}, "Have gates")


def trust(repository: Path) -> kit.Completed:
    done = kit.conductor("config", "trust", "--yes", "--json", cwd=repository)
    assert done.code == 0, done
    return done


def test_two_branches_that_are_green_alone_and_red_together_do_not_both_land(repository: Path) -> None:
    have_gates(repository, ("names", ONE_NAME))
    trust(repository)
    tasks.approved(repository, "first", {"src/one.py": "def total(): return 1\n"})
    second = tasks.approved(repository, "second", {"src/two.py": "def total(): return 2\n"})
    tasks.landed(tasks.merge(repository, "first"))
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "second"), "GATE_FAILED", 14)

    assert (error["outcome"], error["gate"], error["gate_exit_code"]) == ("GATE_FAILED", "names", 1)
    assert "def total" in error["log_end"]
    assert "def total" in Path(error["log"]).read_text()
    assert kit.snapshot(repository) == before
    assert second.is_dir()
    run = tasks.record(repository, "second")
    assert (run.state, run.approved_commit, run.merge_commit) == ("WORKING", None, None)


def test_at_a_terminal_a_gate_that_takes_long_is_told_with_its_log(repository: Path) -> None:
    done = repository.parent / "done"
    have_gates(repository, ("slow", f"until [ -e {done} ]; do sleep 0.05; done"))
    trust(repository)
    tasks.approved(repository, "first", {"src/one.py": "def total(): return 1\n"})

    with at_a_shell("conductor-git", "merge", "first", cwd=repository) as person:
        person.sees(f"gate slow: until [ -e {done} ]")
        person.sees(f"tail -f {Layout(repository / '.git').landings}")
        done.touch()
        person.sees("gate slow (")
        person.sees("first is on main as")


def test_the_red_one_is_sent_back_with_the_log_and_lands_once_it_is_mended(repository: Path) -> None:
    have_gates(repository, ("names", ONE_NAME))
    trust(repository)
    tasks.approved(repository, "first", {"src/one.py": "def total(): return 1\n"})
    second = tasks.approved(repository, "second", {"src/two.py": "def total(): return 2\n"})
    tasks.landed(tasks.merge(repository, "first"))
    tasks.merge(repository, "second")

    (bounced,) = tasks.told(repository, "BOUNCED", "second")
    assert "def total" in bounced
    tasks.commit(second, {"src/two.py": "def sum(): return 2\n"})
    tasks.hand_in(repository, "second")
    tasks.approve(repository, "second")
    tasks.landed(tasks.merge(repository, "second"))
    assert (repository / "src/two.py").read_text() == "def sum(): return 2\n"


def test_the_landed_commit_names_the_gates_that_it_passed(repository: Path) -> None:
    have_gates(repository, ("lint", "true"), ("test", "test -f src/new.py"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    landed = tasks.landed(tasks.merge(repository, "prices"))

    commit = landed["task"]["merge_commit"]
    shown = kit.git(repository, "show", "-s", "--format=%(trailers:key=Gate,valueonly,separator=%x2C)", commit)
    assert shown == "lint passed,test passed"
    assert [gate["name"] for gate in landed["task"]["landing"]["gates"]] == ["lint", "test"]


def test_gates_see_the_merged_commit_in_a_tree_of_its_own(repository: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    have_gates(repository, ("look", f"git rev-parse HEAD > {seen}; pwd >> {seen}; env >> {seen}; touch litter"))
    trust(repository)
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    before = kit.snapshot(repository)

    landed = tasks.landed(
        tasks.merge(repository, "prices", "--no-cleanup", env={"GIT_DIR": "", "CONDUCTOR_RUN_ID": "x"})
    )

    head, place, *environment = seen.read_text().splitlines()
    assert head == landed["task"]["merge_commit"]
    assert Path(place) == Layout(repository / ".git").gate_tree("main")
    assert place not in (str(repository), str(worktree))
    assert f"CONDUCTOR_COMMIT={head}" in environment
    assert "CONDUCTOR_TASK_ID=prices" in environment
    assert [line for line in environment if line.startswith(("GIT_DIR", "GIT_INDEX", "CONDUCTOR_RUN_ID"))] == []
    assert kit.snapshot(repository) == before
    assert kit.git(repository, "worktree", "list").count("\n") == 1


def test_the_gates_are_the_targets_and_not_those_of_the_branch(repository: Path, tmp_path: Path) -> None:
    have_gates(repository, ("strict", "test ! -e src/evil.py"))
    trust(repository)
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/evil.py": "EVIL = 1\n"})
    have_gates(worktree, ("mild", f"touch {tmp_path / 'ran'}"))
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")

    error = tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)

    assert error["gate"] == "strict"
    assert not (tmp_path / "ran").exists()
    assert not (repository / "src/evil.py").exists()


def test_the_gates_are_the_targets_also_where_the_checkout_says_otherwise(repository: Path, tmp_path: Path) -> None:
    have_gates(repository, ("strict", "false"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.write(repository, {".conductor.yaml": f"gates:\n  - name: mild\n    run: touch {tmp_path / 'ran'}\n"})

    tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)

    assert not (tmp_path / "ran").exists()


def test_commands_that_nobody_agreed_to_are_not_run_until_somebody_does(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    have_gates(repository, ("leave-a-trace", f"echo once >> {ran}"))
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "UNTRUSTED_COMMANDS", 1)

    assert error["commands"] == [{"key": "gates.leave-a-trace", "run": f"echo once >> {ran}"}]
    assert not ran.exists()
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"

    assert trust(repository).document["commands"] == error["commands"]
    tasks.landed(tasks.merge(repository, "prices"))
    assert ran.read_text() == "once\n"


def test_a_changed_command_is_asked_about_again(repository: Path) -> None:
    have_gates(repository, ("look", "true"))
    trust(repository)
    have_gates(repository, ("look", "true # but changed"))
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    tasks.refused(tasks.merge(repository, "prices"), "UNTRUSTED_COMMANDS", 1)

    assert not (repository / "src/new.py").exists()


def test_a_gate_over_its_time_is_red_and_nothing_of_it_goes_on(repository: Path, tmp_path: Path) -> None:
    fifo, pid = tmp_path / "never", tmp_path / "pid"
    script = f"mkfifo {fifo}; (setsid sh -c 'echo $$ > {pid}; cat {fifo}' &); cat {fifo}"
    have_gates(repository, ("slow", script), timeout="2s")
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    error = tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)

    assert error["gate_exit_code"] is None
    assert "time limit" in error["message"]
    child = identify(int(pid.read_text()))
    assert child is None or not is_alive(child)
    assert not (repository / "src/new.py").exists()


def test_a_gate_cannot_move_what_lands(repository: Path) -> None:
    script = "echo tampered > src/new.py; git add --all; git -c user.name=x -c user.email=x commit --quiet -m tampered"
    have_gates(repository, ("tamper", script))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    tasks.landed(tasks.merge(repository, "prices"))

    assert (repository / "src/new.py").read_text() == "NEW = 1\n"
    assert "tampered" not in kit.git(repository, "log", "--format=%s", "main")


@pytest.mark.parametrize("text", ["gates: [", "gatez: []\n", "version: 2\n"])
def test_a_config_that_cannot_be_read_lets_nothing_land(repository: Path, text: str) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {".conductor.yaml": text})
    before = kit.snapshot(repository)

    tasks.refused(tasks.merge(repository, "prices"), "BAD_CONFIG", 1)

    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"


def test_a_person_sees_the_end_of_the_red_gates_log_below_the_refusal(repository: Path) -> None:
    have_gates(repository, ("look", "echo the pears are missing; exit 3"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    merged = kit.conductor("merge", "prices", cwd=repository)

    assert merged.code == 14
    assert merged.out == ""
    assert "    the pears are missing\n" in merged.err
    assert merged.err.index("exit code 3") < merged.err.index("the pears are missing") < merged.err.index("↳")


def test_a_replacement_of_the_target_commit_does_not_swap_its_gates(repository: Path) -> None:
    have_gates(repository, ("look", "exit 1"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    gateless = kit.git(repository, "commit-tree", "-m", "no gates", "HEAD~1^{tree}")
    kit.git(repository, "replace", "HEAD", gateless)

    tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)


def test_a_gate_that_turns_on_its_parent_is_red_and_the_landing_lives(repository: Path) -> None:
    have_gates(repository, ("kill", "kill -9 $PPID; exec sleep 600"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    error = tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)

    assert error["gate_exit_code"] == 137
    assert tasks.record(repository, "prices").state == "WORKING"
    assert not (repository / "src/new.py").exists()


def test_a_landing_whose_gates_cannot_be_logged_does_not_count_as_green(repository: Path) -> None:
    state = Layout(repository / ".git").state_dir
    plant = f'mkdir -p "{state}/landings/$CONDUCTOR_COMMIT/02-second.log"'
    have_gates(repository, ("first", f"test -e {repository}/fine || {plant}"), ("second", "true"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "STATE_UNWRITABLE", 1)

    assert "02-second.log" in error["message"]
    assert kit.snapshot(repository) == before
    run = tasks.record(repository, "prices")
    assert (run.state, run.landing) == ("APPROVED", None)
    assert tasks.told(repository, "LANDED", "prices") == tasks.told(repository, "BOUNCED", "prices") == []

    (repository / "fine").touch()
    log = next(Layout(repository / ".git").state_dir.glob("landings/*/02-second.log"))
    log.rmdir()
    tasks.landed(tasks.merge(repository, "prices"))


def test_caches_that_git_ignores_are_warm_in_the_next_landing_and_strays_are_gone(repository: Path) -> None:
    have_gates(repository, ("build", "mkdir -p build; cat build/cache stray; echo warm >build/cache; touch stray"))
    trust(repository)
    tasks.approved(repository, "first", {"src/one.py": "ONE = 1\n"})
    tasks.approved(repository, "second", {"src/two.py": "TWO = 2\n"})

    runs = [tasks.landed(tasks.merge(repository, task))["task"] for task in ("first", "second")]

    cold, warm = (Path(run["landing"]["gates"][0]["log"]).read_text() for run in runs)
    assert "warm" not in cold
    assert warm.startswith("warm\n")
    assert "stray" in warm  # cat found none


def test_secrets_and_terminal_controls_that_a_gate_printed_are_told_to_nobody(repository: Path) -> None:
    have_gates(repository, ("leak", r"printf '\033[2J\033]0;x\007%s of acme\n' $ACME_TOKEN; exit 1"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    merged = tasks.merge(repository, "prices", env={"ACME_TOKEN": "hunter2hunter2"})

    error = tasks.refused(merged, "GATE_FAILED", 14)
    assert error["log_end"] == "[masked] of acme\n"
    (bounced,) = tasks.told(repository, "BOUNCED", "prices")
    assert bounced.endswith("[masked] of acme\n")
    state = Layout(repository / ".git").state_dir
    assert [path for path in state.rglob("*") if path.is_file() and b"hunter2hunter2" in path.read_bytes()] == []


def test_what_landed_and_why_is_kept_as_evidence(repository: Path) -> None:
    have_gates(repository, ("look", "test -f src/new.py"))
    trust(repository)
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    before = kit.git(repository, "rev-parse", "main")

    run = tasks.landed(tasks.merge(repository, "prices"))["task"]

    found = evidence.load(Layout(repository / ".git"), run["landing"]["landing_id"])
    assert found is not None
    assert (found.target, found.target_before) == ("main", before)
    assert found.tree == kit.git(repository, "rev-parse", "main^{tree}")
    assert [(gate.name, gate.command, gate.exit_code) for gate in found.gates] == [("look", "test -f src/new.py", 0)]
    assert [(entry.task_id, entry.merge_commit, entry.reviewers) for entry in found.landings] == [
        ("prices", run["merge_commit"], ("ada",))
    ]
