"""From build/bench/results to docs/benchmarks.md and its plots."""
import html
import json

from sides import BASELINE, SIDES

GPU = ("nvidia", "triton", "cuda_")
GPU_LIBRARIES = ("libtorch_cuda", "libtorch_nvshmem", "libc10_cuda", "libcaffe2_nvrtc")
FIGURES = ("cold", "p50", "p99", "rps", "memory", "size")
INSTALLERS = ("pip", "setuptools", "wheel", "_distutils_hack", "pkg_resources")


# --- Sizes ---

def tree_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def environment_bytes(venv, left_out):
    """Of an environment's packages, without what only makes the model, installs, or runs on a GPU; without bytecode."""
    total = 0
    for site in venv.glob("lib*/python*/site-packages"):
        if site.parent.parent.is_symlink():
            continue
        for entry in site.iterdir():
            name = entry.name.lower().split("-")[0]
            if name in (*INSTALLERS, *left_out) or name.startswith(GPU):
                continue
            files = entry.rglob("*") if entry.is_dir() else [entry]
            total += sum(path.stat().st_size for path in files if path.is_file() and path.suffix != ".pyc"
                         and not path.name.startswith(GPU_LIBRARIES))
    return total


def model_bytes(folder, side):
    """Of the files that the side serves from."""
    names = ["tokenizer.json", "config.json"]
    if side.peer in ("torch", "infinity"):
        names.append("model.safetensors")
    elif side.peer == "onnxruntime":
        names.append("ort-int8-plain.onnx" if "plain" in side.variant else
                     "ort-int8.onnx" if side.kind == "int8" else "ort-optimised.onnx")
    elif side.peer == "tflite":
        names += [file.name for file in folder.glob("litert-int8-1x*.tflite" if side.kind == "int8" else "litert-1x*.tflite")]
    else:
        names += ["nncf-int8.xml", "nncf-int8.bin"] if side.kind == "int8" else ["model.onnx"]
    return sum((folder / name).stat().st_size for name in names if (folder / name).exists())


# --- Tables ---

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def ratio(value):
    return f"{value:.0f} x" if value >= 10 else f"{value:.1f} x"


def megabytes(value):
    return f"{value / 1e6:,.0f} MB"


def figures(server):
    """The six of the table: what a user of one server sees. Latencies of one connection, the best rate of all."""
    load = server["load"]
    return {"cold": server["first_answer_s"], "p50": load["1"]["p50_ms"], "p99": load["1"]["p99_ms"],
            "rps": max(row["requests_per_second"] for row in load.values()),
            "memory": server["resident_bytes"], "size": server["install_bytes"]}


def best_peer_row(served):
    """Ours in INT8 against whichever peer is best in each column, named there; None until both are there."""
    ours = next((values for side, values in served.items() if side.key == "ours-int8"), None)
    peers = {side: values for side, values in served.items() if side.peer != "ours"}
    if ours is None or not peers:
        return None
    row = ["KubeSentiment INT8, against the best peer of the column"]
    for key in FIGURES:
        side = (max if key == "rps" else min)(peers, key=lambda one: peers[one][key])
        theirs = peers[side][key]
        row.append(f"{ratio(ours[key] / theirs if key == 'rps' else theirs / ours[key])} ({side.title})")
    return row


def server_tables(found):
    served = {side: figures(found[side.key]["server"]) for side in SIDES if found.get(side.key, {}).get("server")}
    base = next((values for side, values in served.items() if side.key == BASELINE), None)
    head = ["", "cold start", "P50", "P99", "requests/s", "memory", "install size"]
    absolute, ratios = [], []
    for side, values in served.items():
        absolute.append([side.title, f"{values['cold'] * 1e3:,.0f} ms", f"{values['p50']:.2f} ms", f"{values['p99']:.2f} ms",
                         f"{values['rps']:,.0f}", megabytes(values["memory"]), megabytes(values["size"])])
        if base:
            ratios.append([side.title, *(ratio(values[key] / base[key] if key == "rps" else base[key] / values[key])
                                         for key in FIGURES)])
    load = [[side.title, *(f"{row['requests_per_second']:,.0f} ({row['p50_ms']:.1f} / {row['p99_ms']:.1f})"
                           for row in found[side.key]["server"]["load"].values())] for side in served]
    best = best_peer_row(served)
    connections = list(found[next(iter(served)).key]["server"]["load"]) if served else []
    return (table(head, ratios) + ("\n" + table(["", *head[1:]], [best]) if best else ""), table(head, absolute),
            table(["requests/s (P50 / P99 ms)", *(f"{count} connections" for count in connections)], load))


def latency_table(found, model):
    shapes, rows = [], []
    for side in SIDES:
        measured = found.get(side.key, {}).get("measured", {}).get(model)
        if measured:
            shapes = shapes or list(measured["latency"])
            rows.append([side.title, *(f"{measured['latency'][shape]['p50_ms']:.2f}" if shape in measured["latency"] else "-"
                                       for shape in shapes)])
    return table(["P50, ms", *shapes], rows)


def answers_table(found):
    rows = []
    for side in SIDES:
        result = found.get(side.key)
        if result is None or "failure" in result:
            rows.append([side.title, "-", "-", "left out: " + (result["failure"].splitlines()[-1] if result else "not run")])
            continue
        answers = result["answers"]
        problems = "; ".join(f"{model}: {problem}: left out" for model, problem in result["problems"].items())
        settings = next((measured["settings"] for measured in result["measured"].values()), {})
        rows.append([side.title, f"{answers['minilm']:.2%}" if "minilm" in answers else "-",
                     f"{answers['distilbert']:.1e}" if "distilbert" in answers else "-",
                     problems or ", ".join(f"{key} {value}" for key, value in settings.items()) or "its command line as it stands"])
    return table(["", "labels as PyTorch fp32", "logits off, DistilBERT shape", "settings, or why it is left out"],
                 [[cell.replace("|", "/") for cell in row] for row in rows])


# --- Plots ---

def bars(title, unit, rows):
    """Horizontal bars as SVG; `rows` are (name, value, ours). Colours that read on light and on dark."""
    top, height, left, width = 34, 22, 330, 420
    most = max((value for _, value, _ in rows), default=1)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{top + height * len(rows) + 10}" '
           'font-family="sans-serif" font-size="13">',
           "<style>text{fill:#333}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>",
           f'<text x="10" y="20" font-weight="bold">{html.escape(title)}</text>']
    for i, (name, value, ours) in enumerate(rows):
        y = top + i * height
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>')
        out.append(f'<rect x="{left}" y="{y + 2}" width="{max(width * value / most, 1):.1f}" height="{height - 6}" '
                   f'fill="{"#2a7" if ours else "#89a"}"/>')
        out.append(f'<text x="{left + width * value / most + 6:.1f}" y="{y + 14}">{value:,.3g} {unit}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def plots(found):
    served = [(side, figures(found[side.key]["server"])) for side in SIDES if found.get(side.key, {}).get("server")]
    of = lambda key, scale: sorted(((side.title, values[key] * scale, side.peer == "ours") for side, values in served),  # noqa: E731
                                   key=lambda row: row[1])
    return {"requests.svg": bars("Requests a second, best of 1, 8 and 64 connections: more is better", "", of("rps", 1)[::-1]),
            "latency.svg": bars("P50 of one connection: less is better", "ms", of("p50", 1)),
            "coldstart.svg": bars("From exec to the first answer: less is better", "ms", of("cold", 1e3))}


# --- The page ---

PAGE = """# Benchmarks
Written by `make bench` ({date}); nothing here is typed by hand. {cpu}, {cores} cores for every side and for the
load with it; int8: {peak}. Kernel {kernel}, Python {python}.

{warning}One tweet a request (semeval2017/test), the default model (MiniLM, 6 layers of 384), keep-alive, closed loop. Cold start runs
from before the process is made to the last byte of its first answer, files in the page cache, the median of several. P50 and
P99 are those of one connection, requests a second the best of 1, 8 and 64. Memory is resident after the load. Install size
counts what serving needs with the model: without Python or the system's libraries, without installers and what only makes the
model, and of PyTorch without its GPU libraries.

## Against the founding baseline: transformers + PyTorch fp32 behind FastAPI
How many times better; more is better in every column.

{ratios}
![requests a second](benchmarks/requests.svg)
![latency](benchmarks/latency.svg)
![cold start](benchmarks/coldstart.svg)

## The same in figures
{absolute}
{load}
{sizes}
## One run in the process, by shape (texts x tokens)
Tokens in, logits out, no server. Ours runs on one core; the others as their row says. First the default model:

{minilm}
DistilBERT's shape (6 layers of 768, random weights of a fixed seed):

{distilbert}
## The answers, checked first
Share of {texts} tweets with PyTorch fp32's label; on the random weights the RMS of the centred logits' difference. Bars: fp32
99.9 % and 1e-4, others 97 % and 5 %. What misses its bar is not timed.

{answers}
## How it was run
{versions}.

    make bench                           # all of it; goes on where it was stopped
    bench/run.py --only ours-int8        # one side, against the kept baseline
    bench/load/check_wrk.py --url .. --load ..   # the load generator against wrk
"""


def write(results, target):
    found = {side.key: json.loads(file.read_text()) for side in SIDES if (file := results / f"{side.key}.json").exists()}
    machine = json.loads((results / "machine.json").read_text())
    ratios, absolute, load = server_tables(found)
    peak = f"{machine['vnni_gops']:.0f} GOP/s a core, a register-only VNNI loop in the same run" if machine["vnni_gops"] else "peak not measured"
    versions = {}
    for result in found.values():
        for measured in result.get("measured", {}).values():
            versions |= measured["versions"]
    own = next((result["server"] for key, result in found.items() if key == "ours-int8" and result.get("server")), {})
    sizes = (f"`make install COMPONENT=runtime` takes {megabytes(own['install_bytes'])}, all of it "
             f"{megabytes(own['full_install_bytes'])}.\n" if own else "")
    texts = len(next((result["reference"]["minilm"] for result in found.values() if "reference" in result), []))
    target.write_text(PAGE.format(
        date=machine["date"], cpu=machine["cpu"], cores=machine["cores"], kernel=machine["kernel"], python=machine["python"],
        peak=peak, ratios=ratios, absolute=absolute, load=load, sizes=sizes, minilm=latency_table(found, "minilm"), texts=texts,
        distilbert=latency_table(found, "distilbert"), answers=answers_table(found),
        warning="" if machine["busy_before"] < 0.05 else
        f"**The machine was {machine['busy_before']:.0%} busy with other things when this began: trust ratios at most.**\n\n",
        versions=", ".join(f"{name} {version}" for name, version in sorted(versions.items()))))
    folder = target.parent / "benchmarks"
    folder.mkdir(exist_ok=True)
    for name, svg in plots(found).items():
        (folder / name).write_text(svg)
