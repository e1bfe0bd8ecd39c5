"""The config in force: the user's file, the project's, CONDUCTOR_* variables; and which of its commands are trusted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from conductor_git import durable
from conductor_git.bus.address import Address
from conductor_git.bus.current import current_address, is_chosen, own_address, set_current
from conductor_git.environment import inherited, variable
from conductor_git.errors import BadConfig, Untrusted
from conductor_git.history import Object, objects
from conductor_git.layout import CONFIG_NAME
from conductor_git.names import CommitId
from conductor_git.project import Project

if TYPE_CHECKING:  # pydantic, whose import costs as much as a short command; most modules here only may need a config
    from conductor_git.config.layers import Layer, Resolved
    from conductor_git.config.model import Config

_LIMIT: Final = 256 * 1024


def project_config(project: Project) -> Config:
    """The config as the main checkout has it now, in a bare repository its HEAD; `BadConfig` names file, line, key."""
    found = resolved(project)
    if found.config.bus.backend == "postgres":
        raise BadConfig(
            f"{found.origins.get('bus.backend', CONFIG_NAME)}: this version has the bus backends file and sqlite only",
            hint="conductor-git config check",
        )
    return found.config


def bus_address(project: Project, config: Config) -> Address:
    """Where the project's bus is to be by `config`; `BadConfig` where that is not where its messages are."""
    now, wanted = current_address(project.layout.state_dir), config.bus
    backend = wanted.backend if "backend" in wanted.model_fields_set else now.backend
    if backend != now.backend and project.bus.tail(1):
        raise BadConfig(
            f"the config says `bus: {{backend: {backend}}}`, and this project's messages are on {now.url}",
            hint=f"conductor-git bus copy {now.backend} {backend}",
        )
    size = wanted.segment_bytes if "segment_bytes" in wanted.model_fields_set else now.segment_bytes
    return own_address(project.layout.state_dir, backend, size)


def settle_bus(project: Project) -> None:
    """Before what may be the project's first message: let its bus be where the config has it.

    A config that cannot be read is told to whoever needs more of it.
    """
    state_dir = project.layout.state_dir
    if is_chosen(state_dir):
        return
    with suppress(BadConfig):
        wanted = bus_address(project, project_config(project))
        if wanted != current_address(state_dir):
            set_current(state_dir, wanted)


def without_effect(config: Config) -> tuple[str, ...]:
    """The keys that are set and that this version reads without acting on them, so that nobody relies on them."""
    given = {"team": config.team}
    return tuple(key for key, value in given.items() if value)


def resolved(project: Project) -> Resolved:
    return _merged(_project(project))


def _project(project: Project) -> list[Layer]:
    if not project.is_bare:
        return _file(project.repository / CONFIG_NAME)
    (shown,) = objects(project.git, f"HEAD:{CONFIG_NAME}")  # no checkout is the main one: what is committed counts
    return [_layer(shown.data, f"HEAD:{CONFIG_NAME}")] if shown is not None and shown.kind == "blob" else []


def target_config(project: Project, commit: CommitId) -> Config:
    """The config as the target `commit` has it, which is what a landing goes by, whatever a branch or checkout says."""
    (shown,) = objects(project.git, f"{commit}:{CONFIG_NAME}")
    return config_in(commit, shown)


def config_in(commit: CommitId, file: Object | None) -> Config:
    """As `target_config`, with what the commit has by the name of the config file."""
    has_one = file is not None and file.kind == "blob"
    layers = [_layer(file.data, f"{commit[:10]}:{CONFIG_NAME}")] if file and has_one else []
    return _merged(layers).config


def _merged(project: Sequence[Layer]) -> Resolved:
    """The user's layers, the project's and the variables', from the weakest to the strongest."""
    from conductor_git.config.layers import merge

    return merge([*_user(), *project, *_variables()])


def _variables() -> tuple[Layer, ...]:
    """What CONDUCTOR_* variables set; those of an agent's environment are its own, and set nothing."""
    from conductor_git.config.layers import environment_layers

    ours = inherited()
    return () if "CONDUCTOR_RUN_ID" in ours else environment_layers(ours)


def _user() -> list[Layer]:
    # People keep their own config in a repository of dotfiles, behind a link; theirs is followed, a project's is not.
    return _file((_home("XDG_CONFIG_HOME", ".config") / "config.yaml").resolve())


def _home(name: str, default: str) -> Path:
    return Path(variable(name) or Path.home() / default) / "conductor-git"


def _file(path: Path) -> list[Layer]:
    try:
        return [_layer(durable.read_regular(path, _LIMIT), str(path))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as unreadable:
        raise BadConfig(
            f"{path} cannot be read: {unreadable.strerror}", hint=f"ls -l {quote(str(path))}"
        ) from unreadable


def _layer(data: bytes, origin: str) -> Layer:
    from conductor_git.config.layers import read_layer

    return read_layer(data, origin)


def require_trusted(config: Config, *, agree: bool = False) -> None:
    """Refuse to run the config's commands until their exact text was agreed to on this machine.

    What was agreed to is kept by hash in the user's own directory, where no worker's branch reaches it.
    """
    digest = config.commands_digest()
    if not digest or _trusted(digest).exists():
        return
    if agree:
        trust(config)
        return
    listed = ", ".join(f"{key}: {' '.join(words)}" for key, words in config.commands)
    raise Untrusted(
        f"the project's config would run commands that you have not agreed to on this machine: {listed}",
        hint="conductor-git config trust",
        commands=[{"key": key, "run": " ".join(words)} for key, words in config.commands],
    )


def trust(config: Config) -> None:
    """Agree to the commands of `config` as they are now; any change of their text asks again."""
    path = _trusted(config.commands_digest())
    durable.make_directory(path.parent)
    with durable.lock(path.parent / "lock", purpose="config trust"):
        durable.drop_temporaries(path)  # of one that was killed here
        durable.replace(path, "".join(f"{key}: {' '.join(words)}\n" for key, words in config.commands).encode())


def _trusted(digest: str) -> Path:
    return _home("XDG_STATE_HOME", ".local/state") / "trusted" / digest
