"""A worker that poisons everything it can reach in the shared repository: each piece leaves a marker when it is run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from tests import kit

HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-checkout", "post-commit", "post-index-change",
    "post-merge", "post-rewrite", "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase",
    "prepare-commit-msg", "reference-transaction", "sendemail-validate",
)  # fmt: skip

SETTINGS = {
    "core.fsmonitor": "{run}",
    "core.hooksPath": "{hooks}",
    "core.sshCommand": "{run}",
    "core.editor": "{run}",
    "core.pager": "{run}",
    "core.askPass": "{run}",
    "core.gitProxy": "{run}",
    "core.alternateRefsCommand": "{run}",
    "core.attributesFile": "{attributes}",
    "pager.diff": "{run}",
    "pager.status": "{run}",
    "sequence.editor": "{run}",
    "interactive.diffFilter": "{run}",
    "diff.external": "{run}",
    "diff.evil.command": "{run}",
    "diff.evil.textconv": "{run}",
    "merge.evil.driver": "{run}",
    "filter.evil.clean": "{run} cat",
    "filter.evil.smudge": "{run} cat",
    "filter.worse.process": "{run}",
    "gpg.program": "{run}",
    "gpg.ssh.program": "{run}",
    "gpg.ssh.defaultKeyCommand": "{run}",
    "credential.helper": "!{run}",
    "alias.merge-tree": "!{run}",
    "alias.conductor": "!{run}",
    "remote.origin.url": "ext::{run}",
    "remote.origin.pushurl": "ext::{run}",
    "remote.origin.uploadpack": "{run}",
    "remote.origin.receivepack": "{run}",
    "remote.origin.promisor": "true",
    "remote.origin.partialclonefilter": "blob:none",
    "url.ext::{run} .insteadOf": "/",
    "protocol.ext.allow": "always",
    "protocol.allow": "always",
    "submodule.lib.update": "!{run}",
    "submodule.recurse": "true",
    "trailer.task-id.command": "{run}",
    "trailer.evil.cmd": "{run}",
    "trailer.evil.ifmissing": "add",
    "uploadpack.packObjectsHook": "{run}",
    "browser.evil.cmd": "{run}",
    "web.browser": "evil",
    "mergetool.evil.cmd": "{run}",
    "push.gpgSign": "if-asked",
    "tar.tar.gz.command": "{run}",
}
ATTRIBUTES = "*.py filter=evil diff=evil merge=evil\n*.md diff=evil merge=evil\nnotes.md filter=worse\n"


class Poison:
    """Where the markers lie, and what puts them there. `ran` names the pieces that were run."""

    def __init__(self, place: Path) -> None:
        self.place, self.markers = place, place / "markers"
        self.markers.mkdir(parents=True)

    @property
    def ran(self) -> list[str]:
        return sorted(file.name for file in self.markers.iterdir())

    def program(self, name: str) -> str:
        """A command line that leaves the marker `name`; followed by `cat`, it copies its input as well."""
        script = self.place / f"run-{name}"
        script.write_text(
            f'#!/bin/sh\n: > {shlex.quote(str(self.markers))}/{name}\n[ "$1" = cat ] && exec cat\nexit 1\n'
        )
        script.chmod(0o755)
        return str(script)

    def settings(self) -> Iterator[tuple[str, str]]:
        hooks, attributes = self.place / "hooks", self.place / "attributes"
        self.write_hooks(hooks, "hookspath")
        attributes.write_text(ATTRIBUTES)
        for key, value in SETTINGS.items():
            run = self.program("".join(letter for letter in key if letter.isalnum()))
            facts = {"run": run, "hooks": hooks, "attributes": attributes}
            yield key.format(**facts), value.format(**facts)

    def write_hooks(self, folder: Path, kind: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in HOOKS:
            hook = folder / name
            program = self.program(f"{kind}-{name}")
            hook.write_text(f"#!/bin/sh\nexec {program}\n")
            hook.chmod(0o755)

    def into_config(self, file: Path) -> None:
        """Add every setting to the config `file`."""
        for key, value in self.settings():
            kit.git(self.place, "config", "--file", str(file), "--add", key, value)

    def into(self, repository: Path, worktree: Path) -> None:
        """Poison what a worker in `worktree` reaches of `repository`: config, includes, hooks, attributes, `.git`."""
        git_dir = repository / ".git"
        private = next(git_dir.glob(f"worktrees/{worktree.name}*"))
        included = self.place / "included"
        self.into_config(included)
        commands = [
            ("include.path", str(included)),
            (f"includeIf.gitdir:{git_dir}/.path", str(included)),
            ("extensions.worktreeConfig", "true"),
        ]
        self.write_hooks(git_dir / "hooks", "hook")
        (git_dir / "info" / "attributes").write_text(ATTRIBUTES)
        self._plant_refs(git_dir)
        self._swap(worktree)
        (private / "config.worktree").write_bytes(included.read_bytes())
        (git_dir / "config.worktree").write_bytes(included.read_bytes())
        self.into_config(git_dir / "config")
        for key, value in commands:
            kit.git(self.place, "config", "--file", str(git_dir / "config"), "--add", key, value)
        kit.git(self.place, "config", "--file", str(git_dir / "config"), "extensions.partialClone", "origin")

    def out_of(self, repository: Path, config: bytes) -> None:
        """Take back what makes git itself run the poison, so that a test can look with git again."""
        git_dir = repository / ".git"
        (git_dir / "config").write_bytes(config)
        for name in ("config.worktree", "info/attributes", *(f"hooks/{hook}" for hook in HOOKS)):
            (git_dir / name).unlink()

    def _plant_refs(self, git_dir: Path) -> None:
        tip = kit.git(git_dir.parent, "rev-parse", "HEAD")
        run = self.program("option")
        for name in (f"--upload-pack={Path(run).name}", "-x", "--output=option-output"):
            (git_dir / "refs" / "heads" / name).write_text(f"{tip}\n")

    def _swap(self, worktree: Path) -> None:
        """In place of the worktree's `.git` file a repository of its own, as poisoned as the first."""
        (worktree / ".git").unlink()
        kit.git(worktree, "init", "--quiet")
        self.into_config(worktree / ".git" / "config")
        self.write_hooks(worktree / ".git" / "hooks", "swapped")
