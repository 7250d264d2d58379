"""The stages of bench/bars.py: what is measured of whom, and what is kept of it."""
import dataclasses
import json
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing
import urllib.request
from functools import partial

import adapters
import answers
import run
import servers
from adapters import ROOT, WORK, Deadline
from bars_sides import HTTP, LATENCY, MODELS, OURS, TEXTS
from sides import BASELINE, SIDES

CHARACTERS = 10_000  # every side gets its texts cut here


def first_texts(name, count):
    """The first texts of a test file, in its order."""
    folder = pathlib.Path(os.environ.get("KUBESENTIMENT_SHARED", ROOT.parent / "shared")) / "data" / name
    file = next(folder.glob("test.tsv*"), None)
    if file is None:
        sys.exit(f"bars.py: {folder}/test.tsv is missing; set KUBESENTIMENT_SHARED")
    with (lzma.open if file.suffix == ".xz" else open)(file, "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n").split("\t", 1)[1][:CHARACTERS] for line, _ in zip(lines, range(count))]


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    work: typing.Callable  # () -> what is kept
    seconds: float         # that it usually takes
    side: str = ""         # its key, and the model, where preparing them may have failed
    model: str = ""


class Bars:
    """The stages, in order. `found`: what is kept of each by name; later ones look up what earlier ones found."""

    def __init__(self, tools, plan, found):
        self.tools, self.plan, self.found = tools, plan, found
        self.tweets = [text[:CHARACTERS] for text in run.tweets("test", plan["check_texts"])]

    def stages(self):
        def of(kind, model, side, work, seconds):
            return Stage(f"{kind} {side.key}", work, seconds, side.key, model)

        yield Stage("peaks before", self.peaks, 8)
        for model in MODELS:
            yield Stage(f"reference {model}", partial(self.reference, model), 20)
        for model in MODELS:
            for side in LATENCY:
                yield of(f"latency {model}", model, side, partial(self.latency, model, side), 28)
        for model in MODELS:
            for data in self.plan["texts"][model]:
                for side in TEXTS:
                    yield of(f"texts {model} {data}", model, side, partial(self.texts, model, data, side), 45)
        yield Stage("wrk", self.wrk, 25)
        for model in MODELS:
            for side in HTTP:
                yield of(f"http {model}", model, side, partial(self.http, model, side), 30)
        for model in MODELS:
            yield Stage(f"open {model}", partial(self.open_loop, model), 32)
        yield Stage("peaks after", self.peaks, 8)

    def deadline(self):
        return Deadline(self.plan["limit_s"])

    def result(self, name):
        kept = self.found.get(name)
        if kept is None or kept["problem"]:
            raise servers.NotAnswering(f"needs \"{name}\", which {'failed' if kept else 'was not run'}")
        return kept["result"]

    def checked(self, side, model, logits, reference):
        """How far the answers are off, and whether only a mark lets them count; raises where they do not. The rules are
        those of bench/run.py."""
        off, problem = answers.check(side.kind, model, logits, reference)
        marks = side.peer != "ours" and side.kind != "fp32" and model != "minilm"
        if problem and not (marks and (off or 1) <= answers.MARKED_RMS) and not self.plan.get("lenient"):
            raise servers.NotAnswering(problem)
        return {"answers": off, "marked": bool(problem)}

    # --- The stages ---

    def peaks(self):
        files = {model: adapters.adapter(OURS, self.tools).package(model) / "int8.bin" for model in MODELS}
        measured = json.loads(adapters.run([self.tools.peaks, *files.values()], WORK / "logs" / "peaks.log", self.deadline()))
        weights = dict(zip(files, (one["gbps"] for one in measured.pop("weights"))))
        return measured | {"gbps": weights}

    def measured(self, side, model, shapes):
        plan = {"texts": self.tweets, "shapes": shapes, "seconds": self.plan["seconds"], "least_runs": self.plan["least_runs"]}
        found = adapters.adapter(side, self.tools).measure(model, plan, self.deadline())
        return found, answers.logits_of(found)

    def reference(self, model):
        side = next(side for side in SIDES if side.key == BASELINE)
        found, logits = self.measured(side, model, [])
        return {"logits": logits, "settings": found["settings"], "versions": found["versions"]}

    def latency(self, model, side):
        shapes = [[1, length, self.plan["samples"]] for length in self.plan["lengths"]]
        found, logits = self.measured(side, model, shapes)
        checked = self.checked(side, model, logits, self.result(f"reference {model}")["logits"])
        return checked | {key: found[key] for key in ("latency", "settings", "versions")}

    def texts(self, model, data, side):
        plan = {"texts": first_texts(data, self.plan["texts"][model][data])}
        plan |= {key: self.plan[key] for key in ("batch_sizes", "trial_seconds")}
        plan["warm_texts"] = self.plan["warm_texts"] and side.peer != "torch"  # which compiles nothing for a shape
        found = adapters.adapter(side, self.tools).measure_texts(model, plan, self.deadline())
        logits = answers.logits_of(found)
        kept = {key: value for key, value in found.items() if key not in ("logits", "probabilities")}
        if side.key == BASELINE:
            return kept | {"logits": logits, "answers": 1.0, "marked": False, "texts": len(logits)}
        return kept | self.checked(side, model, logits, self.result(f"texts {model} {data} {BASELINE}")["logits"])

    def started(self, side, model):
        one = adapters.adapter(side, self.tools)
        deadline = self.deadline()
        log = adapters.log_of(side, f"{model}-bars")
        body = adapters.body_of(side, self.tweets[0])
        return servers.started(one.server(model), side.path, body, log, adapters.environment_of(), deadline), deadline

    def bodies(self, side):
        file = WORK / "bars-bodies"
        file.write_bytes(b"".join(adapters.body_of(side, text) + b"\n" for text in self.tweets))
        return file

    def wrk(self):
        if shutil.which("wrk") is None:
            raise servers.NotAnswering("wrk is missing; run: apt-get install wrk")
        server, deadline = self.started(OURS, "minilm")
        with server as (port, _, _):
            checker = [sys.executable, ROOT / "bench" / "load" / "check_wrk.py", "--url", f"http://127.0.0.1:{port}", "--load",
                       self.tools.load, "--json", *self.plan["wrk"]]
            rows = json.loads(adapters.run(checker, WORK / "logs" / "wrk.log", deadline))
        worst = max(abs(row["difference"]) for row in rows)
        if worst > 0.1 and not self.plan.get("lenient"):
            raise servers.NotAnswering(f"the generator and wrk differ by {worst:.0%}: {rows}")
        return {"rows": rows}

    def http(self, model, side):
        server, deadline = self.started(side, model)
        result = {"load": {}}
        with server as (port, _, _):
            texts = self.tweets[:self.plan["http_check"]]
            rows = [adapters.probabilities_of(side, servers.post(port, side.path, adapters.body_of(side, text))) for text in texts]
            temperature = adapters.Ours(side, self.tools).temperature(model) if side.peer == "ours" else 1.0
            logits = answers.logits_of({"probabilities": rows, "temperature": temperature})
            result |= self.checked(side, model, logits, self.result(f"reference {model}")["logits"][:len(texts)])
            for count in self.plan["connections"]:
                before = runs_of(port) if side.peer == "ours" else None
                load = servers.under_load(port, side.path, self.bodies(side), self.tools.load, count, self.plan["http_seconds"], deadline)
                if before:
                    tokens, sequences, runs = (after - one for after, one in zip(runs_of(port), before))
                    load |= {"tokens_a_run": tokens / runs, "texts_a_run": sequences / runs}
                result["load"][str(count)] = load
        return result

    def open_loop(self, model):
        most = max(load["requests_per_second"] for load in self.result(f"http {model} {OURS.key}")["load"].values())
        lengths = sorted(self.lengths(model))
        longest = lengths[-(-len(lengths) * 99 // 100) - 1]
        found, _ = self.measured(OURS, model, [[1, longest, self.plan["samples"]]])
        server, deadline = self.started(OURS, model)
        with server as (port, _, _):
            load = servers.under_load(port, OURS.path, self.bodies(OURS), self.tools.load, self.plan["open_connections"],
                                      self.plan["open_seconds"], deadline, rate=most / 2)
        return {"rate": most / 2, "p99_tokens": longest, "compute_ms": found["latency"][f"1x{longest}"]["p50_ms"], "load": load}

    def lengths(self, model):
        """Tokens of each of the tweets."""
        package = adapters.adapter(OURS, self.tools).package(model)
        lines = subprocess.run([self.tools.binary, "tokenize", "--model", package, "--json"], check=True, capture_output=True,
                               input="\n".join(self.tweets).encode(), timeout=60).stdout.splitlines()
        return [len(json.loads(line)["ids"]) for line in lines]


def runs_of(port):
    """Tokens, sequences and runs of our server so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    total = lambda name: sum(float(value) for value in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE))  # noqa: E731
    return total("ml_batch_tokens_sum"), total("ml_batch_size_sum"), total("ml_batch_tokens_count")
