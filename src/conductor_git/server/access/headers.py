"""What every answer says about how a browser may use it (pure)."""

from __future__ import annotations

from typing import Final

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

ALWAYS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not `no-referrer`: with that one, browsers send forms of our own pages with `Origin: null`.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_UNKEPT: Final = (b"cache-control", b"no-store")


def secured(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """`headers` of an answer with ours, which a route cannot weaken; what a route says about keeping it counts."""
    ours = {name for name, _ in ALWAYS}
    kept = [(name, value) for name, value in headers if name.lower() not in ours]
    keeping = [] if any(name.lower() == _UNKEPT[0] for name, _ in kept) else [_UNKEPT]
    return [*kept, *ALWAYS, *keeping, (b"x-request-id", request_id.encode())]
