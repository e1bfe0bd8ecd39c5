"""The guard on the shared git config: what of it can run a program must be what a person agreed to.

Every worktree shares `.git/config` and `.git/hooks`, and an agent can write them. So the exec-capable keys are kept as
they were at the first spawn or at the last `config trust`, and compared before git runs in a checkout or talks to a
remote. A worker that goes on writing while we compare is not kept out: it runs as the same user.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import durable, gitconfig
from conductor_git.errors import ConfigChanged, TooLarge, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.gitconfig import Entries
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.wording import several

_Known = dict[str, list[str]]
_HOOK: Final = "hooks/"
"""How the hooks in the git dir stand among the keys: by their names, with a hash."""
_LIMIT: Final = 1 << 20


def agree(layout: Layout, entries: Entries) -> None:
    """Take the exec-capable keys as they are now for what may run from here on."""
    durable.make_directory(layout.state_dir)
    with _writing(layout):
        durable.write_through(layout.agreed_config, json.dumps(_known(layout, entries)).encode())


def drop_temporary_files(layout: Layout) -> None:
    """Remove what a killed writer of the agreed config left."""
    if layout.state_dir.is_dir():
        with _writing(layout):
            durable.drop_temporaries(layout.agreed_config)


def _writing(layout: Layout) -> AbstractContextManager[int]:
    return durable.lock(layout.locks / "git-config", purpose="git config")


def changed_keys(layout: Layout, entries: Entries) -> tuple[str, ...]:
    """The exec-capable keys that differ from what was agreed to; none where nobody has agreed to anything yet."""
    return _config_keys(_changed(layout, entries))


def filtering(integration: Git, layout: Layout) -> Git:
    """`integration` with the content filters that were agreed to.

    Without them each file that a filter wrote would count as changed. A filter that came since may be a worker's and
    stays unknown.
    """
    before = _read(layout) or {}
    filters = {key: values[-1] for key, values in before.items() if key.startswith("filter.")}
    return replace(integration, config={**integration.config, **filters})


def quieted(git: Git, layout: Layout, entries: Entries) -> Git:
    """`git`, on a config that may be poisoned, with each content filter as it was agreed to.

    For what has to be done whatever the config says by now: what came since is switched off.
    """
    before = _read(layout) or {}
    keys = [key for key in changed_keys(layout, entries) if key.startswith("filter.")]
    filters = {key: before.get(key, [""])[-1] for key in keys}
    return replace(git, config={**git.config, **filters})


def require_agreed(layout: Layout, entries: Entries) -> None:
    """`ConfigChanged` where git would run something that nobody agreed to while it writes files into a worktree.

    The first caller agrees for the person: no worker has run before the first spawn.
    """
    if not layout.agreed_config.exists():
        agree(layout, entries)
        return
    _refuse(gitconfig.obeyed_in_checkouts(changed_keys(layout, entries), entries.everywhere))


def require_all_agreed(layout: Layout, entries: Entries, task_id: TaskId | None = None) -> None:
    """`ConfigChanged` where any exec-capable key is not as a person agreed to.

    Before git works in a person's checkout, or talks to a remote; for `task_id`, where it is for one.
    """
    _refuse(changed_keys(layout, entries), task_id)


def require_hooks_agreed(layout: Layout, entries: Entries, task_id: TaskId) -> None:
    """As `require_all_agreed`, with the files in the repository's hooks directory too."""
    _refuse(_changed(layout, entries), task_id)


def _refuse(keys: Sequence[str], task_id: TaskId | None = None) -> None:
    if keys:
        facts = {} if task_id is None else {"task_id": task_id}
        raise ConfigChanged(
            f"{several(keys)} changed in the repository's git config since it was agreed to, and git would run what "
            "it says",
            hint=f"{_where(keys[0])}  # right? then: conductor-git config trust",
            keys=list(keys),
            **facts,
        )


def _where(key: str) -> str:
    if key.startswith(_HOOK):
        return f'cat "$(git rev-parse --git-common-dir)/{key}"'
    return f"git config --show-origin --get-all {quote(key)}"


def _config_keys(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(key for key in keys if not key.startswith(_HOOK))


def _changed(layout: Layout, entries: Entries) -> tuple[str, ...]:
    known = _read(layout)
    return () if known is None else gitconfig.changed(known, _known(layout, entries))


def _known(layout: Layout, entries: Entries) -> _Known:
    return gitconfig.executable(entries.everywhere) | _hooks(layout.common_dir / "hooks")


def _hooks(folder: Path) -> _Known:
    names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    return {f"{_HOOK}{name}": [_digest(folder / name)] for name in names if not name.endswith(".sample")}


def _digest(file: Path) -> str:
    try:
        from hashlib import sha256  # loads OpenSSL, which `show` and `diff` do not wait for

        return sha256(durable.read_regular(file, _LIMIT)).hexdigest()
    except (OSError, UnsafePath, TooLarge):
        return str(file.readlink()) if file.is_symlink() else "not a plain file"


def _read(layout: Layout) -> _Known | None:
    try:
        return dict(json.loads(durable.read_regular(layout.agreed_config, _LIMIT)))
    except FileNotFoundError:
        return None


def accept(layout: Layout, key: str, values: Sequence[str]) -> None:
    """Let `key` have `values` (be absent, where there are none) in what is agreed to.

    Every other key stays what it was agreed to be. Nothing is written where nobody has agreed to anything yet.
    """
    if not layout.agreed_config.exists():
        return
    with _writing(layout):
        before = _read(layout) or {}
        after = {name: known for name, known in before.items() if name != key} | ({key: [*values]} if values else {})
        if after != before:
            durable.write_through(layout.agreed_config, json.dumps(after).encode())
