"""A plan of many tasks among agents that misbehave and supervisors and runners that are killed: everything at once."""

import pytest

pytest.register_assert_rewrite("tests.chaos.verdict")
