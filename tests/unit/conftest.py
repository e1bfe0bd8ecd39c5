"""How long a draw or an example takes is nothing that a test of ours is about, and on a busy machine it is long."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
