"""What Kubernetes does to the pods of the chart, done to processes: FACTOR times faster, in the chart's own proportions."""

import pathlib
import re
import time

import yaml

import support

VALUES = yaml.safe_load((support.SOURCE / "deploy/helm/kubesentiment/values.yaml").read_text())
# Short enough for 200 replacements in five minutes. What decides is that the threshold's checks (4 s in the chart) come
# before the drain delay ends (5 s): here that leaves a fifth of a second for a busy machine to be late in.
FACTOR = 5
SPARE_SECONDS = 5  # of terminationGracePeriodSeconds beyond both delays, as in the chart's _helpers.tpl
REPLICAS = 3


def seconds(duration: str) -> float:
    return int(re.fullmatch(r"(\d+)s", duration)[1]) / FACTOR


def faster(probe) -> dict:
    return {name: value if name == "failureThreshold" else value / FACTOR for name, value in probe.items()}


READINESS = faster(VALUES["readinessProbe"])
STARTUP = faster(VALUES["startupProbe"])
MIN_READY = VALUES["minReadySeconds"] / FACTOR
DRAIN_DELAY = seconds(VALUES["config"]["drain-delay"])
DRAIN_TIMEOUT = seconds(VALUES["config"]["drain-timeout"])
GRACE = DRAIN_DELAY + DRAIN_TIMEOUT + SPARE_SECONDS / FACTOR


class Pod(support.Server):
    def __init__(self, name, drain_delay):
        super().__init__("--drain-delay", f"{1000 * drain_delay:.0f}ms", "--drain-timeout", f"{1000 * DRAIN_TIMEOUT:.0f}ms",
                         "--log-level", "warning")
        self.name = name

    def wait_started(self):
        """The startup probe."""
        deadline = time.monotonic() + STARTUP["periodSeconds"] * STARTUP["failureThreshold"]
        while not self._ready():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.log}"
            assert time.monotonic() < deadline, f"{self.name} was not ready in time: {self.log}"
            time.sleep(STARTUP["periodSeconds"])

    def _ready(self):
        try:
            return self.get("/health/ready", timeout=STARTUP["timeoutSeconds"]).status == 200
        except OSError:
            return False

    def start_again(self):
        """As the kubelet does with a container that ended: in the same place."""
        self.start(self.process.args, env=support.ENVIRONMENT)
        self.wait_started()


class Deployment:
    """REPLICAS pods behind `proxy`; use as a context manager."""

    def __init__(self, proxy, drain_delay=DRAIN_DELAY):
        self._proxy, self._drain_delay = proxy, drain_delay
        self._made = 0
        self._ending = []  # (pod, when its grace is over)
        self.pods = []

    def __enter__(self):
        try:
            for _ in range(REPLICAS):
                self._add()
            self.wait_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pod in [*self.pods, *(pod for pod, _ in self._ending)]:
            pod.process.kill()
            pod.process.wait(60)

    def _add(self):
        pod = Pod(f"pod-{self._made}", self._drain_delay)
        self._made += 1
        self.pods.append(pod)
        pod.wait_started()
        self._proxy.add(pod.name, pod.port)

    def wait_up(self):
        deadline = time.monotonic() + 30
        while not {pod.name for pod in self.pods} <= (up := self._proxy.up_everywhere()):
            assert time.monotonic() < deadline, f"expected {[pod.name for pod in self.pods]} to be sent requests, found {up}"
            time.sleep(0.02)

    def replace_oldest(self):
        """One step of a rolling update with maxSurge 1 and maxUnavailable 0. The controller does not wait for a pod to end
        before it makes the next, so neither does this; that the pod leaves is the readiness probe's affair alone."""
        self._add()
        time.sleep(MIN_READY)
        self.wait_up()
        old = self.pods.pop(0)
        old.process.terminate()
        self._ending.append((old, time.monotonic() + GRACE))
        for pod, deadline in list(self._ending):
            if pod.process.poll() is not None or time.monotonic() > deadline:
                self._end(pod, 0)

    def finish(self):
        for pod, deadline in list(self._ending):
            self._end(pod, max(0.0, deadline - time.monotonic()))

    def _end(self, pod, most_seconds):
        code = pod.process.wait(most_seconds)  # raises where the grace was not enough
        self._ending = [(other, deadline) for other, deadline in self._ending if other is not pod]
        assert code == 0, f"{pod.name} ended with {code}: {pod.log}"
        self._proxy.remove(pod.name)
