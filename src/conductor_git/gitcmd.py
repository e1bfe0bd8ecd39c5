"""The only place that runs git: a clean environment, explicit directories, machine output, a deadline."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from conductor_git.environment import inherited, without_git
from conductor_git.errors import GitFailed, GitKilled, GitTooOld

_OLDEST: Final = (2, 38)
_USAGE: Final = 129
"""What git ends with when it does not know an option."""
_DURABLE: Final = {
    # With git's defaults a power cut left acknowledged landings corrupt in 6 of 6 trials, with this in 0 of 368.
    "core.fsync": "committed,loose-object,reference",
}
_QUIET: Final = {
    # A command of ours runs no hook of the repository, starts no background work, and asks nobody anything.
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
}
_AS_THE_IDS_SAY: Final = {
    # A worker can write refs/replace/* and info/grafts; what lands is what the ids say.
    "GIT_NO_REPLACE_OBJECTS": "1",
    # No file at all: about an empty one, too, git would say that grafts are deprecated.
    "GIT_GRAFT_FILE": "/dev/null/grafts",
}
_NEVER_ASK: Final = {"GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
_NO_TRANSPORT: Final = "none"
"""The one protocol allowed where a command has no business with a remote: git fetches what is missing by itself from a
remote that the shared config calls a promisor, with the programs that the config names for it."""


@dataclass(frozen=True, slots=True)
class GitDone:
    """A git process that ended with an expected exit code."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Standard output without its last newline; undecodable bytes survive a round trip."""
        return self.out.decode("utf-8", "surrogateescape").removesuffix("\n")

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n") if self.out else []

    @property
    def fields(self) -> list[str]:
        """Standard output of a `-z` command as its NUL-terminated fields."""
        return self.out.decode("utf-8", "surrogateescape").split("\0")[:-1]


@dataclass(frozen=True, slots=True)
class Git:
    """A way to call git: where, on which repository, with which config. Frozen; `at` and `using` derive others.

    `git_dir` None leaves the repository to git's discovery from `cwd`; everything that touches a worker's content
    names it instead. `inherit` are file descriptors that every child holds open, so that a lock taken by an
    operation stays taken until the last git process of it has ended, also when we are killed. With `transports`, git
    may talk to remotes: for a push, and for the files of a partial clone. Whoever sets it has asked `configguard`.
    """

    cwd: Path
    git_dir: Path | None = None
    work_tree: Path | None = None
    index: Path | None = None
    objects: Path | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    inherit: tuple[int, ...] = ()
    hooks: bool = False
    transports: bool = False

    def at(self, cwd: Path) -> Git:
        return replace(self, cwd=cwd)

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        extra: Mapping[str, str] | None = None,
        seconds: float = 600,
    ) -> GitDone:
        """Run `git *arguments`; an exit code outside `ok`, or no end in `seconds`, raises `GitFailed`."""
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self.cwd,
                env=self.environment() | dict(extra or {}),
                input=stdin,
                capture_output=True,
                pass_fds=self.inherit,
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError as missing:
            is_there = self.cwd.is_dir()
            why = missing.strerror if is_there else "the directory is gone"
            hint = "git --version" if is_there else "conductor-git status"
            said = f"git could not be run in {self.cwd}: {why}"
            raise GitFailed(said, hint=hint, directory=str(self.cwd)) from missing
        except subprocess.TimeoutExpired as late:
            raise GitKilled(
                f"`git {arguments[0]}` did not end within {seconds:.0f} s and was killed",
                hint="conductor-git status",
                command=list(arguments),
            ) from late
        if done.returncode == _USAGE and _USAGE not in ok:
            require_recent()
        if done.returncode not in ok:
            raise failed(arguments, done.returncode, done.stderr, own=not self.hooks)
        return GitDone(done.returncode, done.stdout, done.stderr)

    def talk(self, *arguments: str, seconds: float) -> GitDone:
        """Run a command that talks to a remote, in a session of its own; any exit code is an answer.

        Nobody is asked for anything: there is no terminal, and no program that would open a window. What has not ended
        after `seconds`, the remote's helpers included, is killed, and raises `GitKilled`.
        """
        environment = replace(self, transports=True).environment() | _NEVER_ASK
        child = subprocess.Popen(
            ["git", *arguments],
            cwd=self.cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=self.inherit,
            start_new_session=True,
        )
        with child:
            try:
                out, err = child.communicate(timeout=seconds)
            except BaseException as ended:
                _end(child)
                if isinstance(ended, subprocess.TimeoutExpired):
                    raise GitKilled(
                        f"`git {arguments[0]}` did not end within {seconds:g} s and was killed",
                        hint="conductor-git status",
                        command=list(arguments),
                    ) from ended
                raise
        return GitDone(child.returncode, out, err)

    def environment(self) -> dict[str, str]:
        """What a git child sees: ours without git's local variables, then the directories and config chosen here."""
        environment = without_git(inherited())
        environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_EDITOR": ":"}
        directories = {
            "GIT_DIR": self.git_dir,
            "GIT_WORK_TREE": self.work_tree,
            "GIT_INDEX_FILE": self.index,
            "GIT_OBJECT_DIRECTORY": self.objects,
        }
        environment |= {name: str(path) for name, path in directories.items() if path is not None}
        if not self.hooks:
            environment |= _AS_THE_IDS_SAY
        if not self.transports:
            environment["GIT_ALLOW_PROTOCOL"] = _NO_TRANSPORT
        quiet = {key: value for key, value in _QUIET.items() if not (self.hooks and key == "core.hooksPath")}
        return environment | config_variables({**_DURABLE, **quiet, **self.config})


def require_recent() -> None:
    """`GitTooOld` where git lacks what we need: asked once it did not understand us, so it costs nobody else a process.

    A git whose version cannot be read is taken for a recent one.
    """
    said = (
        subprocess.run(["git", "version"], capture_output=True, check=False).stdout.decode("utf-8", "replace").strip()
    )
    version = version_in(said)
    if version is not None and version < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise GitTooOld(
            f"this is {said}, and conductor-git needs git {oldest} or newer (`git merge-tree --write-tree`)",
            hint="git --version",
            found=said,
            needed=oldest,
        )


def version_in(said: str) -> tuple[int, int] | None:
    """Major and minor of what `git version` says; None where it says neither."""
    found = re.match(r"git version (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child that has a session of its own, and all that it started there."""
    from conductor_git import process  # its tables of processes cost more than most commands of ours may

    process.end_group(child.pid, secrets.token_hex(), grace=0)


def config_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """`settings` as the GIT_CONFIG_COUNT variables, which need no change of any config file."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def durable_config() -> Mapping[str, str]:
    """The settings that an agent's own git commands get too, so that its commits survive a power cut."""
    return _DURABLE


def failed(arguments: tuple[str, ...], code: int, stderr: bytes, *, own: bool = True) -> GitFailed:
    """The error for a git process that ended with `code`; `own` says that all its children were git's own, no hooks."""
    said = stderr.decode("utf-8", "replace").strip()
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    killed = code < 0 or (own and " died of signal " in said)
    return (GitKilled if killed else GitFailed)(
        f"`git {' '.join(arguments[:4])}` {how}: {said[-2000:] or 'no message'}",
        hint="conductor-git status" if killed else "git status",
        command=list(arguments),
        git_exit_code=code,
    )
