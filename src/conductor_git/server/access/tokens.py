"""The tokens of a project's servers, on the disk: what each may do, and the hash of it, never the token itself."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from conductor_git import durable
from conductor_git.errors import ConductorError, NotFound
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.run import ProcessId
from conductor_git.server.access.role import Role, Who
from conductor_git.server.refusals import TokensUnreadable

PREFIX: Final = "cgt"
_SECRET_BYTES: Final = 32
_LIMIT: Final = 4 * 1024 * 1024
_NOBODY: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept. `server` is set for the one that stands for a running server's own login link."""

    who: Who
    digest: str
    made_at: datetime
    server: ProcessId | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens of one project. Every look reads the file, so what is revoked anywhere is refused at once."""

    layout: Layout

    @property
    def path(self) -> Path:
        return self.layout.serve / "tokens.json"

    def all(self) -> tuple[Token, ...]:
        """Every token, oldest first; `TokensUnreadable` for a file that is damaged."""
        try:
            tree = json.loads(durable.read_regular(self.path, _LIMIT))
            return tuple(_token(entry) for entry in tree["tokens"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, ConductorError) as error:
            raise TokensUnreadable(
                f"the tokens of this server cannot be read: {type(error).__name__}",
                hint="move serve/tokens.json in the state directory aside, then: conductor-git serve token add NAME",
            ) from error

    def add(self, token: Token) -> None:
        """Keep `token`; durable when it returns."""
        self._change(lambda kept: (*kept, token))

    def revoke(self, token_id: str) -> Token:
        """Forget the token, durably, and return what it was; `NotFound` where there is none of that id."""
        found = next((token for token in self.all() if token.who.token_id == token_id), None)
        if found is None:
            raise NotFound(f"there is no token {token_id}", hint="conductor-git serve token list", token_id=token_id)
        self.keep(lambda token: token.who.token_id != token_id)
        return found

    def keep(self, wanted: Callable[[Token], bool]) -> None:
        """Forget every token that is not `wanted`."""
        self._change(lambda kept: tuple(filter(wanted, kept)))

    def who(self, text: str) -> Who | None:
        """Whoever shows the token `text`; takes as long for a wrong secret as for a right one."""
        token_id, secret = _parted(text)
        found = next((token for token in self.all() if token.who.token_id == token_id), None)
        is_good = hmac.compare_digest(digest(secret), found.digest if found else _NOBODY)
        return found.who if found and is_good else None

    def by_id(self, token_id: str) -> Who | None:
        """Whoever the token of this id stands for; None once it was revoked."""
        return next((token.who for token in self.all() if token.who.token_id == token_id), None)

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        with durable.lock(self.layout.locks / "serve-tokens", purpose="tokens of serve"):
            durable.make_directory(self.path.parent)
            durable.drop_temporaries(self.path)
            tree = {"schema": 1, "tokens": [_tree(token) for token in change(self.all())]}
            durable.replace(self.path, json.dumps(tree, indent=1).encode() + b"\n", mode=0o600)


def make(
    name: str,
    role: Role,
    *,
    at: datetime,
    task_id: TaskId | None = None,
    generation: int | None = None,
    server: ProcessId | None = None,
) -> tuple[Token, str]:
    """A new token, and its text, which nobody can find out later: only its hash is kept."""
    token_id, secret = secrets.token_hex(4), secrets.token_urlsafe(_SECRET_BYTES)
    kept = Token(Who(name, role, token_id, task_id, generation), digest(secret), at, server)
    return kept, f"{PREFIX}_{token_id}_{secret}"


def digest(secret: str) -> str:
    """The hash by which a secret of 32 random bytes is kept: they cannot be guessed, so it need not be slow."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _parted(text: str) -> tuple[str, str]:
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX else ("", "")


def _tree(token: Token) -> dict[str, Any]:
    return {
        "id": token.who.token_id,
        "name": token.who.name,
        "role": token.who.role,
        "task_id": token.who.task_id,
        "generation": token.who.generation,
        "sha256": token.digest,
        "made_at": token.made_at.isoformat(),
        "server": None if token.server is None else [token.server.pid, token.server.started],
    }


def _token(entry: dict[str, Any]) -> Token:
    task_id = None if entry["task_id"] is None else TaskId(entry["task_id"])
    who = Who(str(entry["name"]), Role(entry["role"]), str(entry["id"]), task_id, entry["generation"])
    server = None if entry["server"] is None else ProcessId(int(entry["server"][0]), float(entry["server"][1]))
    return Token(who, str(entry["sha256"]), datetime.fromisoformat(entry["made_at"]), server)
