"""The refusals of a server: who asks, how it is asked, and what is asked too often."""

from __future__ import annotations

from conductor_git.errors import ConductorError


class Unauthorized(ConductorError):
    """A request without a token that the server knows."""

    code = "UNAUTHORIZED"


class Forbidden(ConductorError):
    """A token, form or page that may not do what it asked the server for. Facts: `role`, `needs`."""

    code = "FORBIDDEN"


class WrongHost(ConductorError):
    """A request under a name that the server does not answer to. Facts: `host`."""

    code = "WRONG_HOST"


class MethodNotAllowed(ConductorError):
    code = "METHOD_NOT_ALLOWED"


class UnsupportedType(ConductorError):
    """The body of a request is of another kind than the route takes. Facts: `content_type`, `needs`."""

    code = "UNSUPPORTED_TYPE"


class IdempotencyConflict(ConductorError):
    """An idempotency key that was used for another request."""

    code = "IDEMPOTENCY_CONFLICT"


class RepositoryGone(ConductorError):
    """The repository was removed while the server ran."""

    code = "REPOSITORY_GONE"


class TokensUnreadable(ConductorError):
    """The file of the server's tokens is damaged, so nobody can be let in."""

    code = "TOKENS_UNREADABLE"


class NoToken(ConductorError):
    """The server was to be reachable from other machines, and nobody has made a token yet."""

    code = "NO_TOKEN"


class PortTaken(ConductorError):
    """Something else listens there already. Facts: `host`, `port`."""

    code = "PORT_TAKEN"


class TooManyStreams(ConductorError):
    """The server has as many streams open as it serves at once. Facts: `limit`."""

    code = "TOO_MANY_STREAMS"
