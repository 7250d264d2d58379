"""From build/bench/results to docs/benchmarks.md and its plots."""
import html
import json

from sides import BASELINE, SIDES

GPU = ("nvidia", "triton", "cuda_")
GPU_LIBRARIES = ("libtorch_cuda", "libtorch_nvshmem", "libc10_cuda", "libcaffe2_nvrtc")
FIGURES = ("cold", "p50", "p99", "rps", "memory", "size")
# Samples that a percentile stands on; fewer are told beside it.
P50_SAMPLES, P99_SAMPLES = 200, 1000
SHORT = "1x16"
BUSY = 0.05
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
    # Without VNNI a peer makes its file under a second name (common.has_vnni).
    sizes = ([file.stat().st_size for file in (folder / name, folder / name.replace(".", "-reduced.")) if file.exists()] for name in names)
    return sum(max(one, default=0) for one in sizes)


def installed_version(venv, package):
    """Of a package of an environment, from the name of its metadata's folder."""
    found = next(iter(venv.glob(f"lib/python*/site-packages/{package}-*.dist-info")), None)
    return found.name.split("-")[1].removesuffix(".dist-info") if found else "unknown"


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


def percentile(value, count, enough, unit=""):
    """With the number of samples where they are fewer than the percentile wants."""
    return f"{value:.2f}{unit}" if count >= enough else f"{value:.2f}{unit} [{count}]"


def server_tables(found):
    served = {side: figures(found[side.key]["server"]) for side in SIDES if found.get(side.key, {}).get("server")}
    base = next((values for side, values in served.items() if side.key == BASELINE), None)
    head = ["", "cold start", "P50", "P99", "requests/s", "memory", "install size"]
    absolute, ratios = [], []
    for side, values in served.items():
        samples = found[side.key]["server"]["load"]["1"]["requests"]
        absolute.append([side.title, f"{values['cold'] * 1e3:,.0f} ms", percentile(values["p50"], samples, P50_SAMPLES, " ms"),
                         percentile(values["p99"], samples, P99_SAMPLES, " ms"), f"{values['rps']:,.0f}",
                         megabytes(values["memory"]), megabytes(values["size"])])
        if base:
            ratios.append([side.title, *(ratio(values[key] / base[key] if key == "rps" else base[key] / values[key])
                                         for key in FIGURES)])
    load = [[side.title, *(f"{row['requests_per_second']:,.0f} ({row['p50_ms']:.1f} / {row['p99_ms']:.1f})"
                           for row in found[side.key]["server"]["load"].values())] for side in served]
    best = best_peer_row(served)
    connections = list(found[next(iter(served)).key]["server"]["load"]) if served else []
    return (table(head, ratios) + ("\n" + table(["", *head[1:]], [best]) if best else ""), table(head, absolute),
            table(["requests/s (P50 / P99 ms)", *(f"{count} connection{'s'[:count != '1']}" for count in connections)], load))


def latency_table(found, model):
    """P50 of every shape; of short texts P99, too."""
    rows, of_side = [], {}
    for side in SIDES:
        measured = found.get(side.key, {}).get("measured", {}).get(model)
        if measured and measured["latency"]:
            of_side[side] = measured["latency"]
    shapes = list(dict.fromkeys(shape for latency in of_side.values() for shape in latency))
    for side, latency in of_side.items():
        cells = []
        for shape in shapes:
            one = latency.get(shape)
            cells.append(percentile(one["p50_ms"], one["count"], P50_SAMPLES) if one else "-")
            if shape == SHORT:
                cells.append(percentile(one["p99_ms"], one["count"], P99_SAMPLES) if one else "-")
        rows.append([side.title + (" †" if model in found[side.key]["marked"] else ""), *cells])
    return table(["ms", *(cell for shape in shapes for cell in ([f"{shape} P50", "P99"] if shape == SHORT else [shape]))], rows)


def answers_table(found):
    rows = []
    for side in SIDES:
        result = found.get(side.key)
        if result is None:
            rows.append([side.title, "-", "-", "left out: not run"])
            continue
        answers = result["answers"]
        settings = next((measured["settings"] for measured in result["measured"].values()), {})
        told = ", ".join(f"{key} {value}" for key, value in settings.items())
        missing = "; ".join(f"{stage} left out: {problem.splitlines()[-1]}" for stage, problem in result["problems"].items())
        share, off = answers.get("minilm"), answers.get("distilbert")
        rows.append([side.title, "-" if share is None else f"{share:.2%}", "-" if off is None else f"{off:.1e}",
                     ". ".join(filter(None, (told, missing)))])
    return table(["", "labels as PyTorch fp32", "logits off, DistilBERT shape", "settings, and what is left out for what reason"],
                 [[cell.replace("|", "/") for cell in row] for row in rows])


def warnings(found):
    """What takes weight from the numbers."""
    said = []
    busy = {key: result["busy_before"] for key, result in found.items() if result["busy_before"] >= BUSY}
    if busy:
        said.append(f"**The machine was busy with other things, by up to {max(busy.values()):.0%}, before {len(busy)} of "
                    f"{len(found)} sides began: trust ratios at most.**")
    runs = sorted({(result["commit"], result["date"]) for result in found.values()})
    if len(runs) > 1:
        said.append("**Not of one run: " + ", ".join(f"{commit} on {date}" for commit, date in runs) + ".**")
    return "".join(line + "\n\n" for line in said)


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
Written by `make bench` ({date}, commit {commit}); nothing here is typed by hand. {cpu} ({sets}), {cores} cores for every side and
for the load with it, {memory} of memory; int8: {peak}. Kernel {kernel}, Python {python}.

{warnings}One tweet a request (semeval2017/test), the default model (MiniLM, 6 layers of 384), keep-alive, closed loop. Cold start runs
from before the process is made to the last byte of its first answer, files in the page cache, the median of {cold_starts} (ours:
{our_cold_starts}). P50 and P99 are those of one connection, requests a second the best of 1, 8 and 64. Memory is resident after
the load. Install size counts what serving needs with the model: without Python or the system's libraries, without installers and
what only makes the model, and of PyTorch without its GPU libraries. [n]: so many samples, where they are fewer than {p50} for a P50
or {p99} for a P99.

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
Share of {texts} tweets (infinity-emb: 200) with PyTorch fp32's label; on the random weights the RMS of the centred logits'
difference. Bars: fp32 99.9 % and 1e-4, others 97 % and 5 %. What misses its bar is not timed, but for peers on the random weights:
those beyond 5 % are marked † where their times stand, and left out beyond 25 %.

{answers}
## How it was run
{versions}. It took {minutes:.0f} minutes.

    make bench                           # all of it, after the micro-benchmarks
    make bench ARGS=--resume             # what an interrupted run left, or what failed
    bench/run.py --only ours-int8        # one side anew, against the kept baseline
    bench/run.py --report-only           # this page again from what was found
    bench/load/check_wrk.py --url .. --load ..   # the load generator against wrk
"""


def write(found, machine, target):
    """`found`: the results by side; plots go into a folder beside `target`, of its name."""
    ratios, absolute, load = server_tables(found)
    peak = (f"{machine['vnni_gops']:.0f} GOP/s a core, a register-only VNNI loop in the same run" if machine["vnni_gops"]
            else "peak not measured")
    versions = {}
    for result in found.values():
        for measured in result["measured"].values():
            versions |= measured["versions"]
    own = found.get("ours-int8", {}).get("server")
    sizes = (f"`make install COMPONENT=runtime` takes {megabytes(own['install_bytes'])}, all of it "
             f"{megabytes(own['full_install_bytes'])}.\n" if own else "")
    starts = {ours: max((result["server"]["cold_starts"] for key, result in found.items()
                         if result["server"] and key.startswith("ours") == ours), default=0) for ours in (False, True)}
    target.write_text(PAGE.format(
        date=machine["date"], commit=max((result["date"], result["commit"]) for result in found.values())[1] if found else "unknown",
        cpu=machine["cpu"], sets=", ".join(machine["sets"]), cores=machine["cores"], memory=f"{machine['memory_bytes'] / 2**30:.0f} GiB",
        kernel=machine["kernel"], python=machine["python"], peak=peak, warnings=warnings(found), cold_starts=starts[False],
        our_cold_starts=starts[True], p50=P50_SAMPLES, p99=P99_SAMPLES, ratios=ratios, absolute=absolute, load=load, sizes=sizes,
        minilm=latency_table(found, "minilm"), distilbert=latency_table(found, "distilbert"), answers=answers_table(found),
        texts=len(found.get(BASELINE, {}).get("reference", {}).get("minilm", [])),
        versions=", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        minutes=sum(result["seconds"] for result in found.values()) / 60))
    folder = target.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, svg in plots(found).items():
        (folder / name).write_text(svg)
