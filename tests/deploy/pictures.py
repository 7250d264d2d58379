#!/usr/bin/env python3
"""Draws docs/operations/*.svg, the dashboards over five minutes of two real servers: tests/deploy/pictures.py

Needs what the tests of this folder need: KS_BINARY, KS_MODEL and KS_SOURCE_DIR (tests/CMakeLists.txt), the PyTorch plugin and
Prometheus. Windows are FACTOR times shorter than in the dashboards, so that a minute stands for an hour.
"""

import contextlib
import pathlib
import random
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/integration"), str(ROOT / "scripts")]

import dashboards  # noqa: E402
import faults  # noqa: E402
import monitoring  # noqa: E402
import plot  # noqa: E402
import support  # noqa: E402
from collector import Collector  # noqa: E402

STEP = 4  # seconds between two points
# What people say about a thing; the second half of the recording is less content.
GOOD = ("I love this", "The best I have ever had", "Works as it should, and arrived early", "My children play with it every day",
        "Not bad at all, would buy it again and again and again, and so would my sister and her husband")
DULL = ("It arrived on Tuesday", "The parcel has two sides and a lid", "I have had it for a week, so far so good")
BAD = ("I hate this", "Broke after two days", "Never again, what a waste of money",
       "The worst support I have seen in years, they let me wait for an hour and then hung up, and nobody ever called back")
LONG = "The first day was fine and the second was not. " * 39


class Visitors:
    """What the clients of one server ask: mostly one text, sometimes a batch, a long text, or feedback on the answer."""

    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        self.moods = (6, 3, 2)
        self.pause = 0.1

    def ask(self):
        time.sleep(self.pause * self.random.expovariate(1))
        [texts] = self.random.choices((GOOD, DULL, BAD), self.moods)
        text = self.random.choice(texts)
        dice = self.random.random()
        if dice < 0.05:
            return self.server.post("/api/v1/predict/batch", {"texts": [text] * self.random.randint(2, 30)})
        answer = self.server.post("/api/v1/predict", {"text": LONG if dice < 0.1 else text})
        if answer.status == 200 and dice > 0.85:
            self.say(answer.json())
        return answer

    def say(self, prediction):
        others = [label for label in prediction["scores"] if label != prediction["label"]]
        label = self.random.choice(others) if self.random.random() < 0.2 else prediction["label"]
        self.server.post("/api/v1/feedback", {"prediction_id": prediction["prediction_id"], "corrected_label": label})


def record(prometheus):
    """Five minutes: as every day, too much work, as every day with less content people, one process started anew."""
    settings = ("--backend", "onnx", "--allowed-backends", "onnx,pytorch", "--canary-backend", "pytorch", "--canary-share", "0.2",
                "--shadow-backend", "pytorch", "--shadow-share", "0.3", "--threads", "1", "--max-text-chars", "1900",
                "--max-batch-tokens", "6000", "--max-queue-tokens", "6000", "--log-level", "error")
    with Collector() as collector, contextlib.ExitStack() as stack:
        first, second = [support.Server(*settings, "--otlp-endpoint", collector.url) for _ in range(2)]
        for server in (first, second):
            stack.push(server.__exit__)
            server.wait_ready(120)  # LibTorch, twice, perhaps from a cold disk
            precision = server.get("/model-info").json()["precision"]
            assert precision == "int8", f"expected a sound package that runs in int8, found {precision}"
        prometheus.scrape("sentiment", first.port, second.port)
        visitors = [Visitors(server, seed) for seed, server in enumerate((first, second))]
        start = time.time()
        with faults.Clients(3, visitors[0].ask), faults.Clients(3, visitors[1].ask):
            time.sleep(90)
            print("too much work", flush=True)
            with faults.Clients(30, lambda: first.post("/api/v1/predict", {"text": LONG})):
                time.sleep(30)
            print("less content people", flush=True)
            for one in visitors:
                one.moods = (2, 3, 6)
            time.sleep(30)
            print("no traces", flush=True)
            collector.status = 400
            time.sleep(30)
            collector.status = 200
            time.sleep(30)
            print("one starts anew", flush=True)
            second.process.terminate()
            second.process.wait(60)
            second.start(second.process.args, env=support.ENVIRONMENT)
            second.wait_ready(120)
            time.sleep(90)
        return start, time.time()


def curves(prometheus, panel, start, end):
    out = []
    for expr, legend in panel.queries:
        query = monitoring.as_grafana_asks(dashboards.final(expr), "sentiment")
        for labels, points in prometheus.curves(query, start, end, STEP):
            name = legend
            for label, value in labels.items():
                name = name.replace("{{" + label + "}}", value)
            out.append((name, points))
    return out


def main():
    target = ROOT / "docs/operations"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, monitoring.Prometheus(pathlib.Path(folder)) as prometheus:
        start, end = record(prometheus)
        for dashboard in dashboards.DASHBOARDS:
            found = [curves(prometheus, panel, start, end) for panel in dashboard.panels()]
            (target / f"{dashboard.name}.svg").write_text(plot.picture(dashboard, found, start, end))


if __name__ == "__main__":
    main()
