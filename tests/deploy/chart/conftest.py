import os
import pathlib
import sys

import pytest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(DEPLOY), str(DEPLOY.parent / "integration")]

import helm_chart  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def tools():
    """Without helm nothing here can be tested: said as a skip, which CI=true does not allow."""
    missing = [name for name in ("helm", "kubeconform") if not os.access(helm_chart.TOOLS / "bin" / name, os.X_OK)]
    if not missing:
        return
    reason = f"{' and '.join(missing)} missing in {helm_chart.TOOLS}; run: scripts/setup-kubernetes chart"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
