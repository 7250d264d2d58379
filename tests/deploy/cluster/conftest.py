import itertools
import pathlib
import sys

import pytest

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(DEPLOY), str(DEPLOY.parent / "integration")]

import cluster  # noqa: E402
import helm_chart  # noqa: E402

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def kubernetes():
    """One control plane for all tests, with the definitions of the operators' objects that the chart can make."""
    with cluster.Cluster() as running:
        for crd in sorted((helm_chart.TOOLS / "crds").glob("*.yaml")):
            running.kubectl("apply", "--server-side", "-f", crd)
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield running


@pytest.fixture
def namespace(kubernetes):
    with kubernetes.namespace(f"test-{next(NUMBERS)}") as made:
        yield made
