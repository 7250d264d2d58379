#!/usr/bin/env python3
"""Where a server's time goes: a flame graph of its threads under load, and the cost of a token by stage.

    bench/flame.py [--connections 8] [--seconds 10] [--texts semeval2017] [--build build/release]

Samples the release build with `perf` (package linux-perf, by the system's own clock, so that it works in virtual machines)
while the load generator sends one text a request from the same cores. Writes docs/performance/flame-TEXTS.svg and prints
the table of docs/performance.md. Stages are told by the functions on the stack, the innermost first.
"""
import argparse
import collections
import html
import pathlib
import re
import shutil
import subprocess
import sys

import adapters
import bars_stages
import machine
import servers
from adapters import ROOT, WORK
from bars_sides import OURS

RATE = 1999  # samples a second of each busy core: no multiple of what else ticks

# A stage is the first of these of which a function on the stack has the pattern, looked for from the innermost function on.
STAGES = (
    ("int8 linears: epilogue, GELU, residual", r"(Int8|Amx)LinearKernel<.*>::(Waiting::)?Finish"),
    ("int8 linears: rows quantised", r"Int8RowsKernel<.*>::QuantizeRow"),
    ("int8 linears: products", r"(Int8|Amx)LinearKernel<"),
    ("attention", r"(Attention|Heads)Kernel<|AttentionTasks|TransposeScaled"),
    ("layer norm", r"RowsKernel<.*Norm"),
    ("embeddings", r"Embeddings"),
    ("pooler and head", r"LinearKernel<|Classifier::"),
    ("waiting for the other cores", r"Team::|Await"),
    ("the rest of a layer", r"EncoderLayer|LayerRun|RunLayers"),
    ("tokeniser", r"Tokenizer::|EncodeInputs"),
    ("ONNX Runtime", r"\[libonnxruntime"),
    ("queue and answer", r"QueueEngine|Scheduler|MakeClassifications"),
    ("HTTP and JSON", r"Connection|App::|Json|boost::|HttpServer|LineWriter"),
    ("kernel", r"\[kernel\]"),
)
REST = "everything else"
WIDTH, ROW, LEAST = 1200, 16, 0.5  # pixels; narrower frames are not drawn


def stage_of(stack):
    """`stack`: functions, the innermost last."""
    for function in reversed(stack):
        for name, pattern in STAGES:
            if re.search(pattern, function):
                return name
    return REST


def short(function):
    """A C++ name without namespace, parameters and template arguments."""
    name = function.split("(")[0] if not function.startswith(("(", "[")) else function
    while (bare := re.sub(r"<[^<>]*>", "", name)) != name:
        name = bare
    return name.replace("ks::", "").removeprefix("void ").strip() or function


def stacks_of(script):
    """{(thread, function.., innermost function): samples} of the output of `perf script -F comm,ip,sym,dso`."""
    stacks = collections.Counter()
    for block in script.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if not lines:
            continue
        frames = []
        for line in lines[1:]:
            found = re.match(r"\s*[0-9a-f]+ (.*) \(([^()]*)\)$", line)
            if not found:
                continue
            name, library = found.groups()
            if library.startswith("[kernel"):
                name = "[kernel]"
            elif "libonnxruntime" in library:
                name = "[libonnxruntime]"
            if name != "[unknown]" and (not frames or frames[-1] != name):
                frames.append(name)
        thread = re.sub(r"-\d+$", "-N", lines[0].strip())
        stacks[(thread, *reversed(frames))] += 1
    return stacks


def draw(stacks, title):
    """The flame graph as SVG: the threads below, callees above their callers, as wide as their samples."""
    tree = {}
    for stack, count in stacks.items():
        level = tree
        for function in stack:
            node = level.setdefault(function, [0, {}])
            node[0] += count
            level = node[1]
    total = sum(stacks.values())
    boxes, deepest = [], 0

    def place(level, x, depth):
        nonlocal deepest
        for function, (count, callees) in sorted(level.items()):
            width = WIDTH * count / total
            if width >= LEAST:
                deepest = max(deepest, depth)
                boxes.append((x, depth, width, function, count))
                place(callees, x, depth + 1)
            x += width

    place(tree, 0.0, 0)
    height = (deepest + 1) * ROW + 40
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text x="6" y="18" font-size="13">{html.escape(title)}</text>']
    colours = {name: f"hsl({i * 360 // (len(STAGES) + 1)},65%,{72 if i % 2 else 80}%)" for i, (name, _) in enumerate(STAGES)}
    for x, depth, width, function, count in boxes:
        y = height - 8 - (depth + 1) * ROW
        colour = colours.get(stage_of((function,)), "#ddd")
        label = html.escape(short(function)[:int(width / 6.7)]) if width > 30 else ""
        lines.append(f'<g><title>{html.escape(short(function))}: {count / total:.1%}</title>'
                     f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.3, 0.2):.1f}" height="{ROW - 1}" fill="{colour}"/>'
                     f'<text x="{x + 2:.1f}" y="{y + 11}">{label}</text></g>')
    return "\n".join([*lines, "</svg>", ""])


def table(stacks, tokens, described):
    """Markdown: microseconds of one core for each token, by stage."""
    by_stage = collections.Counter()
    for stack, count in stacks.items():
        by_stage[stage_of(stack)] += count
    total = sum(by_stage.values())
    rows = [f"{described}: {tokens} tokens, {total / RATE:.1f} s of processor time", "",
            "| stage | us a token | share |", "|---|---|---|"]
    rows += [f"| {name} | {1e6 * count / RATE / tokens:.3f} | {count / total:.1%} |" for name, count in by_stage.most_common()]
    return "\n".join([*rows, f"| all | {1e6 * total / RATE / tokens:.3f} | |"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--texts", default="semeval2017", help="a set of ../shared/data, whose test file is sent")
    arguments = parser.parse_args()
    if shutil.which("perf") is None:
        sys.exit("flame.py: perf is missing; run: apt-get install linux-perf")
    tools = adapters.Tools(arguments.build.resolve())
    deadline = adapters.Deadline(arguments.seconds + 120)
    bodies = WORK / "flame-bodies"
    bodies.write_bytes(b"".join(adapters.body_of(OURS, text) + b"\n" for text in bars_stages.first_texts(arguments.texts, 1000)))
    samples = WORK / "flame.data"
    log = adapters.log_of(OURS, "flame")
    first = bodies.read_bytes().split(b"\n", 1)[0]
    command = adapters.adapter(OURS, tools).server("minilm")
    with servers.started(command, OURS.path, first, log, adapters.environment_of(), deadline) as (port, _, process):
        servers.under_load(port, OURS.path, bodies, tools.load, arguments.connections, 2, deadline)  # opens the wide session
        before = bars_stages.runs_of(port)[0]
        recorder = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(RATE), "-g", "-o", samples, "-p",
                                     str(process.pid)], stderr=subprocess.DEVNULL)
        try:
            servers.under_load(port, OURS.path, bodies, tools.load, arguments.connections, arguments.seconds, deadline)
            tokens = int(bars_stages.runs_of(port)[0] - before)
        finally:
            recorder.terminate()
            recorder.wait()
    script = subprocess.run(["perf", "script", "-i", samples, "-F", "comm,ip,sym,dso"], check=True, capture_output=True, text=True,
                            errors="replace").stdout
    stacks = stacks_of(script)
    if not stacks:
        sys.exit(f"flame.py: perf took no sample of the server: {samples}")
    described = (f"{arguments.texts}, {arguments.connections} connection{'s' if arguments.connections > 1 else ''}, "
                 f"{machine.describe(tools.peaks, 2)['cpu']}")
    target = ROOT / "docs" / "performance" / f"flame-{arguments.texts}-{arguments.connections}.svg"
    target.parent.mkdir(exist_ok=True)
    target.write_text(draw(stacks, f"kubesentiment serve, int8: {described}"))
    print(table(stacks, tokens, described))
    print(f"wrote {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
