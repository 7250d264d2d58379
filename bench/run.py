#!/usr/bin/env python3
"""The same work side by side: ours, and others as they are best run. Writes docs/benchmarks.md.

    bench/run.py [--resume] [--only SIDE..] [--prepare] [--quick] [--report-only] [--minutes 45] [--build build/release]

Every side (bench/sides.py) is checked before it is timed, runs in its own process, and may use the same cores. First all is
made that takes no part in the comparison: the environments of the peers (scripts/bench-peer), their models, what they convert
or compile; --prepare stops there, and what is made already is not made again. Then the clock starts: what is found is kept in
build/bench/results, a file a side. --resume measures what is missing or failed, --only the named sides anew against the kept
baseline, --report-only nothing. A side that fails or takes too long says so in the table and the others go on; sides that
--minutes did not reach are left for --resume. --quick tries everything out for moments, apart from those results, and writes
build/bench/quick/benchmarks.md: its numbers mean nothing.
"""
import argparse
import hashlib
import json
import lzma
import os
import pathlib
import random
import subprocess
import sys
import time

import adapters
import answers
import machine
import report
import servers
from adapters import ROOT, WORK, Deadline
from sides import BASELINE, SIDES

CORES = 2
# Shapes are (texts, tokens, samples): the 50th percentile stands on 200 samples and the 99th of short texts on 1000, or on
# what the time allows, which the table says then.
PLAN = {
    "seconds": 5.0, "least_runs": 10, "cold_starts": 3, "our_cold_starts": 20, "connections": {1: 6, 8: 3, 64: 3},
    "models": {"minilm": {"texts": 500, "shapes": [[1, 16, 1000], [1, 64, 200], [1, 128, 200], [8, 128, 200], [64, 32, 200]]},
               "distilbert": {"texts": 500, "shapes": [[1, 16, 1000], [1, 128, 200], [8, 128, 200]]}}}
QUICK = {"seconds": 0.1, "least_runs": 1, "cold_starts": 1, "our_cold_starts": 2, "connections": {1: 3, 8: 3},
         "limit_s": 900, "lenient": True,  # beside other work, and on too few texts to judge by
         "models": {"minilm": {"texts": 40, "shapes": [[1, 16, 20], [64, 32, 1]]},
                    "distilbert": {"texts": 4, "shapes": [[1, 16, 20], [8, 128, 1]]}}}
CALIBRATION_TEXTS = 300
PREPARATION_LIMIT_S = 1800
FAILURES = (servers.NotAnswering, subprocess.SubprocessError, OSError, ValueError, KeyError)


def say(text):
    print(text, file=sys.stderr, flush=True)


def reason(failure):
    return f"{'' if isinstance(failure, (servers.NotAnswering, OSError)) else type(failure).__name__ + ': '}{failure}".strip()[-500:]


def tweets(name, count):
    folder = pathlib.Path(os.environ.get("KUBESENTIMENT_SHARED", ROOT.parent / "shared")) / "data" / "semeval2017"
    file = next(folder.glob(f"{name}.tsv*"), None)
    if file is None:
        sys.exit(f"run.py: {folder}/{name}.tsv is missing; set KUBESENTIMENT_SHARED")
    with (lzma.open if file.suffix == ".xz" else open)(file, "rt", encoding="utf-8", newline="\n") as lines:
        texts = [line.rstrip("\n").split("\t", 1)[1] for line in lines]
    return random.Random(1).sample(texts, min(count, len(texts)))


def plan_of(plan, model):
    """What one process of a side is told."""
    one = plan["models"][model]
    return {"texts": plan["texts"][:one["texts"]], "shapes": one["shapes"], "calibration": plan["calibration"]} | {
        key: plan[key] for key in ("seconds", "least_runs")}


# --- Before the clock starts ---

def prepare(sides, tools, plan):
    """Makes what is missing; returns {side: why it cannot take part}. A failure is remembered until what led to it changes:
    some take half an hour to come to it."""
    failed, broken_peers = {}, {}
    for peer in sorted({side.peer for side in sides} - {"ours"} | {"torch"}):
        if subprocess.run([ROOT / "scripts" / "bench-peer", peer], check=False).returncode != 0:
            broken_peers[peer] = f"its environment could not be made; see scripts/bench-peer {peer}"
    if "torch" in broken_peers:
        sys.exit(f"run.py: the baseline and everybody's models need it: {broken_peers['torch']}")
    adapters.provide_models(Deadline(PREPARATION_LIMIT_S))
    notes = WORK / "prepared"
    notes.mkdir(exist_ok=True)
    for side in sides:
        if side.peer in broken_peers:
            failed[side.key] = {"preparation": broken_peers[side.peer]}
            continue
        for model in plan["models"] if side.measured else ():
            note = notes / f"{side.key}-{model}"
            state = state_of(side, tools, plan_of(plan, model))
            kept = note.read_text().split("\n", 1) if note.exists() else [None]
            if kept[0] != state:
                say(f"preparing {side.key}, {model}")
                kept = [state, ""]
                try:
                    adapters.adapter(side, tools).prepare(model, plan_of(plan, model), Deadline(PREPARATION_LIMIT_S))
                except FAILURES as failure:
                    kept[1] = reason(failure)
                note.write_text("\n".join(kept))
            if kept[1]:
                failed.setdefault(side.key, {})[model] = kept[1]
                say(f"{side.key} cannot run {model}: {kept[1]}")
    return failed


def state_of(side, tools, plan):
    """Changes when what prepare() makes for this side would."""
    state = hashlib.sha256((WORK / "models" / "source").read_bytes() + json.dumps([plan["texts"], plan["shapes"]]).encode())
    files = [tools.binary] if side.peer == "ours" else [
        file for folder in (side.peer, "shared") for file in sorted((ROOT / "bench" / "peers" / folder).iterdir()) if file.is_file()]
    for file in files:
        state.update(file.read_bytes())
    return state.hexdigest()


# --- One side ---

def measure_side(side, tools, plan, reference, cannot):
    """`reference`: the baseline's logits by model; None measures the baseline."""
    deadline = Deadline(plan.get("limit_s", side.limit_s))
    one = adapters.adapter(side, tools)
    result = {"answers": {}, "measured": {}, "server": None, "problems": dict(cannot), "marked": {}}
    if side.key == BASELINE:
        result["reference"] = {}

    def stage(name, work):
        if name not in result["problems"] and "preparation" not in result["problems"]:
            try:
                work()
            except FAILURES as failure:
                result["problems"][name] = reason(failure)

    def in_process(model):
        measured = one.measure(model, plan_of(plan, model), deadline)
        logits = answers.logits_of(measured)
        if side.key == BASELINE:
            result["reference"][model] = logits
        expected = (reference or result["reference"])[model][:len(logits)]
        off, problem = answers.check(side.kind, model, logits, expected)
        result["answers"][model] = off
        marks = side.peer != "ours" and side.kind != "fp32" and model != "minilm"
        if problem and marks and (off or 1) <= answers.MARKED_RMS:
            result["marked"][model] = problem
        elif problem and not plan.get("lenient"):
            raise servers.NotAnswering(problem)
        result["measured"][model] = {key: measured[key] for key in ("latency", "settings", "versions")}

    def as_server():
        file = WORK / "bodies"
        file.write_bytes(b"".join(adapters.body_of(side, text) + b"\n" for text in plan["texts"]))
        starts = plan["our_cold_starts"] if side.peer == "ours" else plan["cold_starts"]
        result["server"] = servers.measure(one.server(), side.path, file, tools.load, adapters.log_of(side, "server"), starts,
                                           plan["connections"], adapters.environment_of(), deadline) | one.sizes()

    for model in plan["models"] if side.measured else ("minilm",):
        stage(model, lambda: in_process(model))
    if side.served and "minilm" not in result["problems"]:
        stage("server", as_server)
    return result


# --- All of them ---

class Progress:
    """Says what was done and how long the rest will take, from what each side took when it was last measured."""

    def __init__(self, file, quick):
        self.file = file
        self.seconds = json.loads(file.read_text()) if file.exists() else {}
        self.usual = lambda side: 15 if quick else 10 + 60 * side.measured + 35 * side.served

    def done(self, side, seconds, problems, rest):
        self.seconds[side.key] = seconds
        self.file.write_text(json.dumps(self.seconds))
        to_go = sum(self.seconds.get(one.key, self.usual(one)) for one in rest) / 60
        wrong = "".join(f"\n    {stage}: {why}" for stage, why in problems.items())
        say(f"{side.key}: {seconds:.0f} s; {len(rest)} sides to go, some {to_go:.0f} min{wrong}")


def kept_results(results):
    return {side.key: json.loads(file.read_text()) for side in SIDES if (file := results / f"{side.key}.json").exists()}


def chosen_sides(arguments, kept):
    """The baseline first: the others are held against it."""
    if arguments.only:
        wanted = set(arguments.only) | ({BASELINE} if "reference" not in kept.get(BASELINE, {}) else set())
    elif arguments.resume:
        wanted = {side.key for side in SIDES if side.key not in kept or kept[side.key]["problems"]}
    else:
        wanted = {side.key for side in SIDES}
    return sorted((side for side in SIDES if side.key in wanted), key=lambda side: side.key != BASELINE)


def measure_all(arguments, results):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # for every process from here on, the load's, too
    tools = adapters.Tools(arguments.build.resolve())
    plan = (QUICK if arguments.quick else PLAN).copy()
    texts = {"texts": tweets("test", max(one["texts"] for one in PLAN["models"].values())),
             "calibration": tweets("train", CALIBRATION_TEXTS)}
    plan |= texts
    kept = kept_results(results)
    sides = chosen_sides(arguments, kept)
    failed = prepare(sides, tools, PLAN | texts)
    if arguments.prepare:
        return
    if not (arguments.only or arguments.resume):
        for file in results.glob("*.json"):
            file.unlink()
        kept = {}
    (results / "machine.json").write_text(json.dumps(machine.describe(tools.peaks, CORES)))
    commit, began = machine.commit(ROOT), time.monotonic()
    progress = Progress(WORK / ("seconds-quick.json" if arguments.quick else "seconds.json"), arguments.quick)
    reference = None if sides and sides[0].key == BASELINE else kept[BASELINE]["reference"]
    for i, side in enumerate(sides):
        if time.monotonic() - began > arguments.minutes * 60:
            say(f"{arguments.minutes} minutes are over: {len(sides) - i} sides are left for --resume")
            return
        busy, before = machine.busy_share(), time.monotonic()
        result = measure_side(side, tools, plan, reference, failed.get(side.key, {}))
        seconds = time.monotonic() - before
        result |= {"seconds": seconds, "busy_before": busy, "commit": commit, "date": time.strftime("%Y-%m-%d")}
        (results / f"{side.key}.json").write_text(json.dumps(result))
        progress.done(side, seconds, result["problems"], sides[i + 1:])
        if side.key == BASELINE:
            reference = result["reference"]
            if set(reference) != set(plan["models"]):
                say("without the baseline's answers nobody else's can be checked")
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", nargs="+", metavar="SIDE", choices=[side.key for side in SIDES],
                        help="of " + ", ".join(side.key for side in SIDES))
    parser.add_argument("--minutes", type=float, default=45)
    for flag in ("--resume", "--prepare", "--quick", "--report-only"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    results = WORK / ("results-quick" if arguments.quick else "results")
    results.mkdir(parents=True, exist_ok=True)
    if not arguments.report_only:
        measure_all(arguments, results)
    if not arguments.prepare:
        target = WORK / "quick" / "benchmarks.md" if arguments.quick else ROOT / "docs" / "benchmarks.md"
        target.parent.mkdir(exist_ok=True)
        found = kept_results(results)
        report.write(found, json.loads((results / "machine.json").read_text()), target)
        say(f"wrote {target}")
        return int(any(side.peer == "ours" and (side.key not in found or found[side.key]["problems"]) for side in SIDES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
