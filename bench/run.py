#!/usr/bin/env python3
"""The same work side by side: ours, and others as they are best run. Writes docs/benchmarks.md.

    bench/run.py [--build build/release] [--only SIDE..] [--fresh] [--quick] [--report-only]

Every side (bench/sides.py) is checked before it is timed, runs in its own process, and may use the same cores. What is
found is kept in build/bench/results, a file a side: a run that was stopped goes on where it was, --fresh begins anew. The
environments of the peers are made at the first run (scripts/bench-peer), their models, too. --quick tries everything out
for moments and writes build/bench/quick.md instead: its numbers mean nothing.
"""
import argparse
import json
import lzma
import math
import os
import pathlib
import platform
import random
import shutil
import subprocess
import sys
import time

import report
import servers
from sides import BARS, BASELINE, SIDES

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
MODELS = ("minilm", "distilbert")
CORES = 2
PLAN = {"shapes": [[1, 16], [1, 64], [1, 128], [8, 128]], "seconds": 2.0, "least_runs": 10, "check_texts": 500,
        "cold_starts": 3, "our_cold_starts": 20, "connections": [1, 8, 64], "load_seconds": 3}
QUICK = PLAN | {"shapes": [[1, 16], [8, 128]], "seconds": 0.1, "least_runs": 1, "check_texts": 50, "cold_starts": 1,
                "our_cold_starts": 2, "connections": [1, 8], "load_seconds": 2}


def say(text):
    print(text, file=sys.stderr, flush=True)


def shared():
    folder = pathlib.Path(os.environ.get("KUBESENTIMENT_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        sys.exit(f"run.py: {folder}/data is missing; set KUBESENTIMENT_SHARED")
    return folder


def tweets(name, count):
    path = shared() / "data" / "semeval2017" / f"{name}.tsv.xz"
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        texts = [line.rstrip("\n").split("\t", 1)[1] for line in file]
    return random.Random(1).sample(texts, min(count, len(texts)))


def environment(peer):
    return WORK / f"venv-{peer}"


def run_json(command, log, env=None):
    """The JSON that a command prints; its standard error goes to `log`."""
    with open(log, "wb") as errors:
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, env=env, check=False, timeout=900)
    if done.returncode != 0:
        tail = pathlib.Path(log).read_text(errors="replace").strip().splitlines()
        raise servers.NotAnswering(tail[-1] if tail else f"exit code {done.returncode}")
    return json.loads(done.stdout)


# --- What each kind of side takes ---

class Ours:
    def __init__(self, side, tools):
        self.precision = "fp32" if side.variant == "pytorch" else side.variant
        self.backend = "pytorch" if side.variant == "pytorch" else "onnx"
        self.binary, self.tools = tools.build / "bin" / "kubesentiment", tools

    def package(self, model):
        if model == "minilm":
            return self.tools.build / "share" / "kubesentiment" / "models" / "default"
        package = WORK / "packages" / model
        if not (package / "manifest.json").exists():
            package.parent.mkdir(parents=True, exist_ok=True)
            help_text = subprocess.run([self.binary, "convert", "--help"], capture_output=True, text=True, check=True).stdout
            command = [self.binary, "convert", WORK / "models" / model, "--output", package]
            command += ["--precision", "fp32,int8"] if "int8" in help_text else []
            command += ["--no-gate"] if "--no-gate" in help_text else []  # random weights decide nothing
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return package

    def flags(self):
        return ["--backend", self.backend, "--precision", self.precision]

    def measure(self, model, plan, log):
        package = self.package(model)
        texts = WORK / "check.jsonl"
        texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in plan["texts"]))
        scored = subprocess.run([self.binary, "predict", "--model", package, "--input", texts, "--output", "-", *self.flags()],
                                capture_output=True, text=True, check=False)
        if scored.returncode != 0:
            raise servers.NotAnswering(scored.stderr.strip().splitlines()[-1])
        names = json.loads((package / "manifest.json").read_text())
        rows = [json.loads(line)["scores"] for line in scored.stdout.splitlines()]
        bench = run_json([self.binary, "bench", package, "--scenario", "latency", "--seconds", max(1, round(plan["seconds"])),
                          "--json", *self.flags()], log)
        wanted = {f"{batch}x{tokens}" for batch, tokens in plan["shapes"]}
        rows_of = {f"{row['sequences']}x{row['tokens']}": row for row in bench["latency"]}
        return {"probabilities": [list(row.values()) for row in rows], "temperature": names.get("temperature", 1.0),
                "latency": {shape: {"p50_ms": row["p50_ms"], "p99_ms": row["p99_ms"], "count": row["count"]}
                            for shape, row in rows_of.items() if shape in wanted},
                "settings": {"precision": self.precision, "threads": bench["threads_per_run"], "isa": bench["isa"]},
                "versions": {"kubesentiment": bench["version"]}}

    def server(self):
        return [str(self.binary), "serve", "--model", str(self.package("minilm")), "--listen", "127.0.0.1:{port}",
                "--access-log=false", *self.flags()]

    def sizes(self):
        """The runtime component serves int8 alone."""
        sizes = self.tools.sizes()
        return sizes if self.precision == "int8" else sizes | {"install_bytes": sizes["full_install_bytes"]}


class Peer:
    def __init__(self, side, tools):
        self.side, self.tools = side, tools
        self.python = environment(side.peer) / "bin" / "python"

    def command(self, what, model):
        return [self.python, ROOT / "bench" / "peers" / self.side.peer / "peer.py", what, "--model", WORK / "models" / model,
                "--variant", self.side.variant]

    def measure(self, model, plan, log):
        file = WORK / "plan.json"
        file.write_text(json.dumps(plan))
        return run_json([*self.command("measure", model), "--plan", file], log)

    def server(self):
        return [*map(str, self.command("serve", "minilm")), "--port", "{port}"]

    def sizes(self):
        return {"install_bytes": report.environment_bytes(environment(self.side.peer), self.side.packages)
                + report.model_bytes(WORK / "models" / "minilm", self.side)}


class Infinity(Peer):
    def server(self):
        return [str(environment("infinity") / "bin" / "infinity_emb"), "v2", "--model-id", str(WORK / "models" / "minilm"),
                "--served-model-name", "m", "--engine", "torch", "--device", "cpu", "--dtype", "float32",
                "--no-bettertransformer", "--no-model-warmup", "--port", "{port}"]


class Tools:
    def __init__(self, build):
        self.build = build
        self.load = build / "bin" / "ks_load"
        for file in (build / "bin" / "kubesentiment", self.load):
            if not file.exists():
                sys.exit(f"run.py: {file} is missing; `make bench` builds it")

    def sizes(self):
        """Of an installation that only serves, and of a whole one."""
        sizes = {}
        for key, component in (("install_bytes", ["--component", "runtime"]), ("full_install_bytes", [])):
            prefix = WORK / "install"
            shutil.rmtree(prefix, ignore_errors=True)
            subprocess.run(["cmake", "--install", self.build, "--prefix", prefix, *component], check=True, stdout=subprocess.DEVNULL)
            sizes[key] = report.tree_bytes(prefix)
        return sizes


def adapter(side, tools):
    return {"ours": Ours, "infinity": Infinity}.get(side.peer, Peer)(side, tools)


# --- The answers, before any time counts ---

def centred(row):
    mean = sum(row) / len(row)
    return [value - mean for value in row]


def check_answers(side, model, answers, reference):
    """What is wrong with the answers, or None. Logits count but for a constant, which probabilities do not have."""
    agreement_bar, rms_bar = BARS[side.kind]
    if model == "minilm":
        same = sum(a.index(max(a)) == b.index(max(b)) for a, b in zip(answers, reference, strict=True)) / len(reference)
        return same, None if same >= agreement_bar else f"label agreement {same:.2%}, below {agreement_bar:.1%}"
    off = sum((x - y) ** 2 for a, b in zip(answers, reference, strict=True) for x, y in zip(centred(a), centred(b), strict=True))
    rms = (off / sum(y * y for b in reference for y in centred(b))) ** 0.5
    return rms, None if rms <= rms_bar else f"logits off by {rms:.1e} RMS, above {rms_bar:g}"


def logits_of(measured):
    if "logits" in measured:
        return measured["logits"]
    return [[math.log(max(p, 1e-12)) * measured["temperature"] for p in row] for row in measured["probabilities"]]


def infinity_answers(side, tools, plan, bodies, log):
    """Infinity has no process to ask but its server: its answers come over HTTP."""
    order = ["NEGATIVE", "NEUTRAL", "POSITIVE"]
    with servers.started(adapter(side, tools).server(), side.path, bodies[0], log, environment_of()) as (port, _, _):
        answers = [json.loads(servers.post(port, side.path, body))["data"][0] for body in bodies[:200]]
    rows = [{score["label"]: score["score"] for score in answer} for answer in answers]
    return [[row[name] for name in order] for row in rows]


def environment_of():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KS_")}
    return kept | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "ORT_DISABLE_TELEMETRY": "1",
                   "DO_NOT_TRACK": "1", "TRANSFORMERS_VERBOSITY": "error"}


# --- One side ---

def measure_side(side, tools, plan, reference):
    log = WORK / "logs" / f"{side.key}.log"
    one = adapter(side, tools)
    result = {"answers": {}, "measured": {}, "server": None, "problems": {}}
    bodies = [json.dumps({"model": "m", "input": [text]} if side.peer == "infinity" else {"text": text}).encode()
              for text in plan["server_texts"]]
    if side.measured:
        for model in MODELS:
            measured = one.measure(model, plan, log)
            answers = logits_of(measured)
            difference, problem = check_answers(side, model, answers, reference[model] if reference else answers)
            result["answers"][model] = difference
            if side.key == BASELINE:
                result["reference"] = result.get("reference", {}) | {model: answers}
            if problem:
                result["problems"][model] = problem
            else:
                result["measured"][model] = {key: measured[key] for key in ("latency", "settings", "versions")}
    else:
        asked = infinity_answers(side, tools, plan, bodies, log)
        expected = reference["minilm"][:len(asked)]
        result["answers"]["minilm"], problem = check_answers(side, "minilm", asked, expected)
        if problem:
            result["problems"]["minilm"] = problem
    if side.served and "minilm" not in result["problems"]:
        file = WORK / "bodies"
        file.write_bytes(b"\n".join(bodies) + b"\n")
        starts = plan["our_cold_starts"] if side.peer == "ours" else plan["cold_starts"]
        result["server"] = servers.measure(one.server(), side.path, file, str(tools.load), log,
                                           plan | {"cold_starts": starts}, environment_of())
        result["server"] |= one.sizes()
    return result


def prepare_models(sides):
    peers = sorted({side.peer for side in sides} - {"ours"})
    for peer in {*peers, "torch"}:
        subprocess.run([ROOT / "scripts" / "bench-peer", peer], check=True)
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    with open(WORK / "logs" / "models.log", "wb") as log:
        subprocess.run([environment("torch") / "bin" / "python", ROOT / "bench" / "peers" / "torch" / "make_models.py",
                        ROOT / "models" / "default", WORK / "models"], check=True, stdout=log, stderr=log)


def busy_share():
    """How busy the machine is with other things: the share of its time that was not idle over one second."""
    def times():
        with open("/proc/stat", encoding="utf-8") as file:
            fields = [int(field) for field in file.readline().split()[1:]]
        return fields[3] + fields[4], sum(fields)

    idle, everything = times()
    time.sleep(1)
    idle_after, everything_after = times()
    return 1 - (idle_after - idle) / (everything_after - everything)


def machine(build):
    """What the numbers stand on; the peak of the CPU's int8 instruction from our own loop, measured now."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = file.read().splitlines()
    value = lambda name: next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")  # noqa: E731
    found = {"cpu": value("model name"), "flags": [flag for flag in value("flags").split() if flag.startswith(("avx", "amx"))],
             "cores": CORES, "kernel": platform.release(), "python": platform.python_version(), "date": time.strftime("%Y-%m-%d"),
             "busy_before": busy_share(), "vnni_gops": None}
    program = next((path for path in (build / "src/kernels/kernels_benchmark", ROOT / "build/dev/src/kernels/kernels_benchmark")
                    if path.exists()), None)
    if program:
        out = WORK / "peak.json"
        subprocess.run([program, "--benchmark_filter=VnniPeak", f"--benchmark_out={out}", "--benchmark_out_format=json"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        rows = json.loads(out.read_text())["benchmarks"] if out.exists() and out.stat().st_size > 0 else []
        found["vnni_gops"] = rows[0].get("GOP/s") if rows else None
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", nargs="+", metavar="SIDE", help="of " + ", ".join(side.key for side in SIDES))
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report-only", action="store_true")
    arguments = parser.parse_args()
    sides = [side for side in SIDES if not arguments.only or side.key in arguments.only]
    if not sides:
        parser.error("--only: no such side")
    results = WORK / ("results-quick" if arguments.quick else "results")
    if arguments.fresh and not arguments.report_only:
        shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True, exist_ok=True)
    if not arguments.report_only:
        measure_all(sides, arguments, results)
    report.write(results, WORK / "quick.md" if arguments.quick else ROOT / "docs" / "benchmarks.md")


def measure_all(sides, arguments, results):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # for every process from here on, the load's, too
    tools = Tools(arguments.build.resolve())
    prepare_models(sides)
    plan = (QUICK if arguments.quick else PLAN).copy()
    plan["texts"] = tweets("test", plan["check_texts"])
    plan["server_texts"] = plan["texts"]
    plan["calibration"] = tweets("train", 300)
    (results / "machine.json").write_text(json.dumps(machine(tools.build)))
    cached = results / f"{BASELINE}.json"
    if not cached.exists() and all(side.key != BASELINE for side in sides):
        sides = [*sides, next(side for side in SIDES if side.key == BASELINE)]
    reference = json.loads(cached.read_text())["reference"] if cached.exists() else None
    for side in sorted(sides, key=lambda side: side.key != BASELINE):  # the baseline first: the others are held against it
        file = results / f"{side.key}.json"
        if not file.exists():
            began = time.monotonic()
            try:
                result = measure_side(side, tools, plan, reference)
            except (servers.NotAnswering, subprocess.SubprocessError, OSError) as failure:
                if side.key == BASELINE:
                    raise
                result = {"failure": str(failure).strip()[-500:]}
            file.write_text(json.dumps(result))
            say(f"{side.key}: {time.monotonic() - began:.0f} s {result.get('failure') or result['problems'] or ''}")
        if side.key == BASELINE:
            reference = json.loads(file.read_text())["reference"]


if __name__ == "__main__":
    main()
