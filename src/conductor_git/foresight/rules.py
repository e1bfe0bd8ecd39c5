"""What besides the commits decides how a merge comes out: git itself and its settings, as one short text."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from conductor_git.environment import inherited
from conductor_git.gitcmd import Git

_FORMAT: Final = "1"
"""Goes up when what is remembered, or how it is judged, changes."""
_SECTIONS: Final = ("merge.", "diff.", "core.", "extensions.")


def rules(integration: Git) -> str:
    """Differs whenever a merge of the same two commits may come out differently; costs two processes."""
    version = integration.run("version").text
    settings = integration.run("config", "--list", "-z", "--includes").fields
    deciding = [entry for entry in settings if entry.startswith(_SECTIONS)]
    attributes = _attributes(deciding)
    return sha256(repr((_FORMAT, version, deciding, attributes)).encode()).hexdigest()


def _attributes(settings: list[str]) -> bytes:
    """The user's own gitattributes, which can choose how a path is merged."""
    environment = inherited()
    home = Path(environment.get("HOME", "/nonexistent"))
    place = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "git" / "attributes"
    for entry in settings:
        key, _, value = entry.partition("\n")
        if key == "core.attributesfile":
            place = home / value[2:] if value.startswith("~/") else Path(value)
    try:
        return place.read_bytes()
    except OSError:
        return b""
