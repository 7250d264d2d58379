#!/usr/bin/env python3
"""The speed bars: each row against its peers and the hardware in one run, and judged. Writes docs/speed.md, or --page.

    bench/bars.py [--resume] [--only REGEX] [--prepare] [--quick] [--report-only] [--minutes 40] [--build build/release]
                  [--page docs/speed.md]

Works as bench/run.py does, whose sides, environments and models it uses: every stage is a process of its own on the same
cores, checked before it counts, and kept in build/bench/bars, a file a stage. --resume runs the stages that are missing or
failed, --only those whose name matches (as "http minilm"), anew; --report-only none. What the CPU can do at most is
measured before and after all others. --quick tries everything out for moments, apart from those results.
"""
import argparse
import json
import os
import pathlib
import re
import sys
import time

import adapters
import bars_report
import machine
import run
import servers
from adapters import ROOT, WORK
from bars_sides import HTTP, LATENCY, MODELS, OURS, TEXTS
from bars_stages import Bars

CORES = 2
PLAN = {
    "seconds": 2.5, "least_runs": 20, "samples": 1000, "lengths": [8, 16, 32, 64, 128, 256], "check_texts": 500,
    "texts": {"minilm": {"semeval2017": 4000, "imdb": 600}, "distilbert": {"semeval2017": 1000, "imdb": 160}},
    "batch_sizes": [1, 4, 8, 16, 32], "trial_seconds": 1.0, "warm_texts": True,
    "connections": [1, 8, 64], "http_seconds": 5, "http_check": 200, "open_seconds": 20, "open_connections": 64,
    "wrk": ["--seconds", "1", "--rounds", "5"], "limit_s": 240}
QUICK = {
    "seconds": 0.1, "least_runs": 2, "samples": 20, "lengths": [8, 64], "check_texts": 40,
    "texts": {"minilm": {"semeval2017": 64, "imdb": 8}, "distilbert": {"semeval2017": 32, "imdb": 4}},
    "batch_sizes": [1, 8], "trial_seconds": 0.1, "warm_texts": False,
    "connections": [1, 8], "http_seconds": 0.5, "http_check": 20, "open_seconds": 1, "open_connections": 8,
    "wrk": ["--seconds", "1", "--rounds", "1"], "limit_s": 240, "lenient": True}


def file_of(results, name):
    return results / "stages" / f"{name.replace(' ', '.')}.json"


def measure_all(arguments, results, found):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # for every process from here on, the load's, too
    plan = QUICK if arguments.quick else PLAN
    tools = adapters.Tools(arguments.build.resolve())
    sides = {side.key: side for side in (*LATENCY, *TEXTS, *HTTP)}.values()
    texts = {"texts": run.tweets("test", 500), "calibration": run.tweets("train", run.CALIBRATION_TEXTS)}
    cannot = run.prepare(sides, tools, run.PLAN | texts)
    if arguments.prepare:
        return
    bars = Bars(tools, plan, found)
    stages = list(bars.stages())
    if arguments.only:
        stages = [stage for stage in stages if re.search(arguments.only, stage.name)]
    elif arguments.resume:
        stages = [stage for stage in stages if stage.name not in found or found[stage.name]["problem"]]
    else:
        for name in found:
            file_of(results, name).unlink(missing_ok=True)
        found.clear()
    (results / "machine.json").write_text(json.dumps(machine.describe(tools.peaks, CORES)))
    commit, began = machine.commit(ROOT), time.monotonic()
    for i, stage in enumerate(stages):
        if time.monotonic() - began > arguments.minutes * 60:
            run.say(f"{arguments.minutes:g} minutes are over: {len(stages) - i} stages are left for --resume")
            return
        busy, before = machine.busy_share(0.3), time.monotonic()
        kept = {"result": None, "problem": None, "busy_before": busy, "commit": commit, "date": time.strftime("%Y-%m-%d")}
        unfit = cannot.get(stage.side, {})
        try:
            if why := unfit.get("preparation") or unfit.get(stage.model):
                raise servers.NotAnswering(why)
            kept["result"] = stage.work()
        except run.FAILURES as failure:
            kept["problem"] = run.reason(failure)
        kept["seconds"] = time.monotonic() - before
        found[stage.name] = kept
        file_of(results, stage.name).write_text(json.dumps(kept | {"name": stage.name}))
        to_go = sum(one.seconds for one in stages[i + 1:]) / 60
        run.say(f"{stage.name}: {kept['seconds']:.0f} s; {len(stages) - i - 1} stages to go, some {to_go:.0f} min"
                + (f"\n    {kept['problem']}" if kept["problem"] else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", metavar="REGEX", help="the stages whose name matches, such as \"http minilm\"")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "speed.md", help="a page of another CPU's beside that")
    for flag in ("--resume", "--prepare", "--quick", "--report-only"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    results = WORK / ("bars-quick" if arguments.quick else "bars")
    (results / "stages").mkdir(parents=True, exist_ok=True)
    found = {kept["name"]: kept for file in (results / "stages").glob("*.json") for kept in [json.loads(file.read_text())]}
    if not arguments.report_only:
        measure_all(arguments, results, found)
    if arguments.prepare:
        return 0
    target = WORK / "quick" / "speed.md" if arguments.quick else arguments.page.resolve()
    target.parent.mkdir(exist_ok=True)
    configs = {model: json.loads((WORK / "models" / model / "config.json").read_text()) for model in MODELS}
    rows = bars_report.write(found, json.loads((results / "machine.json").read_text()), configs, target)
    (results / "rows.json").write_text(json.dumps(rows, indent=1))
    run.say(f"wrote {target}")
    return int(any(kept["problem"] for name, kept in found.items() if name.endswith(OURS.key) or name.startswith("peaks")))


if __name__ == "__main__":
    sys.exit(main())
