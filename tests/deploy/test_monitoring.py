"""The chart's alerts and dashboards over a real server, a real Prometheus and a real Alertmanager.

Every query of every dashboard has data once there was traffic, every alert fires by a fault that was really made, reaches
the receiver that docs/operations.md routes it to, and is resolved once the fault is gone. Durations are FACTOR times
shorter than in the files (monitoring.py); expressions are what they are.

The faults come one after the other, since at the end each series that an alert looks at must have been there.
"""

import contextlib
import itertools
import pathlib
import re
import sys
import time

import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "scripts"), str(pathlib.Path(__file__).parent)]

import dashboards  # noqa: E402
import faults  # noqa: E402
import monitoring  # noqa: E402
import restarts  # noqa: E402
import support  # noqa: E402
import tamper  # noqa: E402
from collector import Collector  # noqa: E402

PLUGIN = pathlib.Path(support.BINARY).parent.parent / "lib" / "libkubesentiment_torch.so"
RULES = [rule for file in sorted((monitoring.FILES / "alerts").glob("*.yaml"))
         for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
SEVERITY = {rule["alert"]: rule["labels"]["severity"] for rule in RULES if "alert" in rule}

needs_pytorch = pytest.mark.skipif(not PLUGIN.exists(), reason=f"{PLUGIN.name} was not built: no LibTorch, or KS_TORCH=OFF")


class World:
    def __init__(self, prometheus, receiver):
        self.prometheus, self.receiver = prometheus, receiver
        self.fired = set()

    def firing(self, job):
        return {labels["alertname"] for labels, _ in self.prometheus.query(f'ALERTS{{alertstate="firing", job="{job}"}}')}

    def noticed(self, status, alert, job):
        """Whether the right receiver got to know."""
        right = {"critical": "pager", "warning": "tickets"}[SEVERITY[alert]]
        for receiver, what, labels, annotations in self.receiver.notices:
            if (what, labels["alertname"], labels.get("job", "")) == (status, alert, job):
                assert receiver == right, (receiver, labels)
                told = " ".join(annotations.values())
                assert "<" not in told and "{{" not in told and "NaN" not in told, annotations
                return True
        return False

    def wait_fired(self, alert, job, seconds=60):
        monitoring.wait_until(lambda: self.noticed("firing", alert, job),
                              lambda: f"{alert} of {job} firing, found {self.firing(job)}", seconds)
        self.fired.add(alert)
        print(f"{alert}: fired", flush=True)

    def wait_resolved(self, alert, job, seconds=60):
        monitoring.wait_until(lambda: self.noticed("resolved", alert, job),
                              lambda: f"{alert} of {job} resolved, found {self.firing(job)}", seconds)
        assert alert not in self.firing(job)
        print(f"{alert}: resolved", flush=True)

    @contextlib.contextmanager
    def server(self, job, *arguments, **options):
        """A server that is scraped as `job`."""
        with support.Server(*arguments, **options) as server:
            self.prometheus.scrape(job, server.port)
            self.prometheus.wait_for(f'job:kubesentiment_requests:increase5m{{job="{job}"}}')
            yield server
        self.prometheus.scrape(job)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitoring")
    with monitoring.Receiver() as receiver, monitoring.Alertmanager(folder, receiver) as alertmanager, \
            monitoring.Prometheus(folder, alertmanager) as prometheus:
        yield World(prometheus, receiver)


def start_again(server):
    """The same command on the same port, after the process is gone."""
    server.process.wait(30)
    server.start(server.process.args, env=support.ENVIRONMENT)
    server.wait_ready()


def kill(server):
    server.process.kill()
    server.process.wait(30)


def predict(server, text="I love this", backend=None):
    answer = server.post("/api/v1/predict" + (f"?backend={backend}" if backend else ""), {"text": text})
    assert answer.status == 200, answer.body
    return answer.json()


def say(server, prediction, right):
    label = prediction["label"] if right else next(x for x in prediction["scores"] if x != prediction["label"])
    answer = server.post("/api/v1/feedback", {"prediction_id": prediction["prediction_id"], "corrected_label": label})
    assert answer.json()["agreed"] is right


TEXTS = ("I love this", "I hate this so much", "It arrived on Tuesday", "not bad at all " * 60, "the best day of my life",
         "terrible, do not buy", "the parcel has two sides", "what a waste " * 5)


def traffic(server):
    """A little of everything."""
    for text in TEXTS:
        for backend in (None, "pytorch", "onnx"):
            say(server, predict(server, text, backend), right=backend != "pytorch")
    assert server.post("/api/v1/predict/batch", {"texts": list(TEXTS)}).status == 200
    assert server.post("/", {"inputs": list(TEXTS)}).status == 200
    assert server.post("/models/org/name", {"inputs": TEXTS[0]}).status == 200
    assert server.post("/api/v1/predict", {"text": " "}).status == 422
    server.get("/health/live")
    server.get("/health/ready")


# --- Alerts that need no load ---

def test_absent_until_something_is_scraped(world):
    world.wait_fired("KubeSentimentAbsent", "")
    with world.server("absent"):
        world.wait_resolved("KubeSentimentAbsent", "")


def test_a_target_that_is_down_until_it_is_started_again(world):
    with world.server("down") as server:
        kill(server)
        world.wait_fired("KubeSentimentTargetDown", "down")
        start_again(server)
        world.wait_resolved("KubeSentimentTargetDown", "down")


def test_a_process_that_is_killed_over_and_over(world):
    with world.server("crashes") as server:
        for _ in range(4):
            [(_, start)] = world.prometheus.query('process_start_time_seconds{job="crashes"}')
            kill(server)
            start_again(server)
            world.prometheus.wait_for(f'process_start_time_seconds{{job="crashes"}} > {start + 0.005}')
        world.wait_fired("KubeSentimentCrashLooping", "crashes")
        world.wait_resolved("KubeSentimentCrashLooping", "crashes")


def test_a_container_that_ends_before_it_is_ready(world, tmp_path):
    """No target ever shows it: kube-state-metrics does, of which this has a double."""
    model = tmp_path / "model"
    with restarts.RestartedContainer(model=model, pause=0.5) as container:
        world.prometheus.scrape("kube-state-metrics", container.state_metrics_port)
        world.wait_fired("KubeSentimentContainerRestarting", "kube-state-metrics")
        model.symlink_to(support.MODEL)
        world.wait_resolved("KubeSentimentContainerRestarting", "kube-state-metrics")
        assert container.get("/health/ready").status == 200
    world.prometheus.scrape("kube-state-metrics")


def test_a_damaged_package_until_it_is_put_right(world, tmp_path):
    tamper.copy(support.MODEL, tmp_path / "model")
    file = tmp_path / "model/tokenizer.json"  # not read while serving
    sound = file.read_bytes()
    file.write_bytes(sound[:1000] + bytes([sound[1000] ^ 1]) + sound[1001:])
    with world.server("damaged", model=tmp_path / "model") as server:
        world.wait_fired("KubeSentimentPackageDamaged", "damaged")
        assert server.get("/health/ready").status == 503
        file.write_bytes(sound)
        server.process.terminate()
        start_again(server)
        world.wait_resolved("KubeSentimentPackageDamaged", "damaged")


def test_int8_refused_until_the_package_is_put_right(world, tmp_path):
    tamper.copy(support.MODEL, tmp_path / "model")
    manifest = tmp_path / "model/manifest.json"
    sound = manifest.read_bytes()

    def change(content):
        content["self_checks"][0]["int8_logits"][0] += 0.5

    tamper.edit_manifest(tmp_path / "model", change)
    with world.server("int8", model=tmp_path / "model") as server:
        world.wait_fired("KubeSentimentInt8Refused", "int8")
        assert predict(server)["label"] == "POSITIVE", "fp32 answers"
        manifest.write_bytes(sound)
        server.process.terminate()
        start_again(server)
        world.wait_resolved("KubeSentimentInt8Refused", "int8")


def test_feedback_that_contradicts_until_it_agrees(world):
    with world.server("feedback") as server:
        for _ in range(60):
            say(server, predict(server), right=False)
        world.wait_fired("KubeSentimentAccuracyLow", "feedback")
        for _ in range(150):
            say(server, predict(server), right=True)
        world.wait_resolved("KubeSentimentAccuracyLow", "feedback")


def test_a_collector_that_refuses_until_it_takes_traces(world):
    with Collector() as collector, world.server("traces", "--otlp-endpoint", collector.url) as server:
        collector.status = 400
        with faults.Clients(1, lambda: server.post("/api/v1/predict", {"text": "fine"})):
            world.wait_fired("KubeSentimentSpansDropped", "traces")
            collector.status = 200
            world.wait_resolved("KubeSentimentSpansDropped", "traces", 90)
        assert collector.spans()


# --- Alerts by load ---

def test_more_work_than_it_can_do(world):
    """One core, the slowest kernels, a queue of 1,300 tokens, and more clients than fit."""
    limits = ("--threads", "1", "--isa", "scalar", "--max-text-chars", "400", "--max-batch-tokens", "1300",
              "--max-queue-tokens", "1300")
    alerts = ["KubeSentimentAvailabilityBurnFast", "KubeSentimentLatencyBurnFast", "KubeSentimentOverloaded",
              "KubeSentimentQueueLong"]
    slow = ["KubeSentimentAvailabilityBurnSlow", "KubeSentimentLatencyBurnSlow"]
    with world.server("overload", *limits, "--log-level", "error") as server:
        body = {"text": "a day like this one is " * 17}
        with faults.Clients(20, lambda: server.post("/api/v1/predict", body), pause=2):
            for alert in alerts:
                world.wait_fired(alert, "overload")
            world.prometheus.wait_for(  # the quick ones keep the slow ones from being told
                f'count(ALERTS{{alertstate="firing", job="overload", alertname=~"{"|".join(slow)}"}}) == 2')
        # Without clients every share is of nothing, so a few that are answered stay.
        with faults.Clients(1, lambda: server.post("/api/v1/predict", {"text": "fine"})):
            for alert in alerts:
                world.wait_resolved(alert, "overload")
            for alert in slow:
                world.wait_fired(alert, "overload")
                world.wait_resolved(alert, "overload")


def test_a_worker_that_hangs_until_it_goes_on(world):
    with world.server("stalled", "--threads", "1", "--stall-timeout", "2s", "--log-level", "error") as server:
        body = {"texts": ["a day like this one is " * 60] * 20}
        with faults.Clients(2, lambda: server.post("/api/v1/predict/batch", body)):
            for _ in range(10):  # it is held wherever it is just then, nearly always inside a run
                with faults.thread_held(server.process.pid, "onnx-0"), contextlib.suppress(AssertionError):
                    world.wait_fired("KubeSentimentWorkerStalled", "stalled", 8)
                    assert server.get("/health/live").status == 503
                    break
            else:
                pytest.fail("the worker was never held inside a run")
            world.wait_resolved("KubeSentimentWorkerStalled", "stalled")
        assert server.get("/health/live").status == 200


# --- Two backends ---

@needs_pytorch
def test_backends_that_disagree_until_the_package_is_put_right(world, tmp_path):
    def change(tensors):
        tensors["classifier.weight"] *= -1

    model = tamper.change_int8(support.MODEL, tmp_path / "model", change)
    with world.server("disagree", "--shadow-backend", "pytorch", "--shadow-share", "1", model=model) as server:
        for text in itertools.islice(itertools.cycle(TEXTS), 60):
            predict(server, text)
        world.wait_fired("KubeSentimentAgreementLow", "disagree")
        for file in pathlib.Path(support.MODEL).iterdir():
            (model / file.name).write_bytes(file.read_bytes())
        server.process.terminate()
        start_again(server)
        for text in itertools.islice(itertools.cycle(TEXTS), 60):
            predict(server, text)
        world.wait_resolved("KubeSentimentAgreementLow", "disagree", 120)


@needs_pytorch
def test_a_shadow_that_drops_until_requests_are_small_enough(world):
    with world.server("drops", "--shadow-backend", "pytorch", "--shadow-share", "1") as server:
        # More than the shadow ever takes of one request: 16,384 tokens.
        assert server.post("/api/v1/predict/batch", {"texts": ["a day like this one is " * 20] * 150}).status == 200
        world.wait_fired("KubeSentimentShadowDropping", "drops", 90)
        for text in itertools.islice(itertools.cycle(TEXTS), 200):
            predict(server, text)
        world.wait_resolved("KubeSentimentShadowDropping", "drops", 120)


# --- Dashboards ---

def queries():
    return [pytest.param(monitoring.as_grafana_asks(dashboards.final(expr), "dashboards"),
                         id=f"{dashboard.name}: {panel.title}, {legend}")
            for dashboard in dashboards.DASHBOARDS for panel in dashboard.panels() for expr, legend in panel.queries]


@pytest.fixture(scope="module")
def with_traffic(world):
    both = ("--allowed-backends", "onnx,pytorch", "--canary-backend", "pytorch", "--canary-share", "0.3", "--shadow-backend",
            "pytorch", "--shadow-share", "0.5")
    with Collector() as collector, world.server("dashboards", *both, "--otlp-endpoint", collector.url) as server:
        end = time.monotonic() + 8
        while time.monotonic() < end:
            traffic(server)
        world.prometheus.wait_for('ml_backend_agreement_ratio{job="dashboards"}')
        world.prometheus.wait_for('ml_package_verified{job="dashboards"}')
        with faults.Clients(1, lambda: traffic(server) or server.get("/health/live")):
            yield world.prometheus


@needs_pytorch
@pytest.mark.parametrize("query", queries())
def test_every_query_of_the_dashboards_has_data(with_traffic, query):
    with_traffic.wait_for(query, 15)


# --- All together ---

def test_every_alert_was_seen(world):
    assert world.fired == set(SEVERITY)


def selectors(expr):
    """The series that an expression names, with what it asks of their labels."""
    without_labels = re.sub(r"\b(by|on) \([^)]*\)", "", expr)
    return re.findall(r"\b(?:up|(?:ml|http|kube|process|trace|job|model)[_:][\w:]+)\b(?:\{[^}]*\})?", without_labels)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.get("alert") or rule["record"]) for rule in RULES])
def test_every_series_of_the_rules_was_there(world, rule):
    named = selectors(rule["expr"])
    assert named
    for selector in named:
        assert world.prometheus.query(f"count_over_time({selector}[1h])"), selector
