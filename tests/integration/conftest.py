import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import support  # noqa: E402


@pytest.fixture(scope="session")
def server():
    """One server with default settings, for the tests that leave it as it was."""
    with support.Server() as running:
        yield running
