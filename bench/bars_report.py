"""From build/bench/bars to docs/speed.md and its plots."""
import report
from adapters import environment
from bars_rows import FAMILIES, HTTP_BARS, ONNXRUNTIME_BAR, ONNXRUNTIME_MEAN, Rows
from bars_sides import HTTP, LATENCY, MODELS, TEXTS
from bound import geometric_mean

PAGE = """# Speed
Written by `bench/bars.py` ({date}, commit {commit}); nothing here is typed by hand. {cpu} ({sets}), {cores} cores for every side
and for the load with it, {memory} of memory; kernel {kernel}, Python {python}.

{warnings}{summary}

Every ratio is ours to the best of the peer's settings, and the better of our one and two threads; more than 1 is faster. The
answers were checked before anything was timed. The *bound* is what this CPU could do at most, from the peaks below: the
multiply-adds of the linears (of the last layer keys and values of all tokens, the rest of first tokens alone, as ours does) at
the peak of the cores used, or the weights' bytes at the speed at which those cores read them together, whichever takes longer, and nothing
else. A bar is met at its ratio, or at 65 % of the bound (50 % over HTTP, where the generator shares the cores), whichever asks less, but
never below the peer's own speed.

{peaks}
## One text, P50
Tokens in, logits out, in one process, the same ids for everybody. Bars: ONNX Runtime {ort} x at each length and {mean} x as
geometric mean (a length met by the bound counts at its bar); OpenVINO 1.3 x up to 64 tokens and 1.1 x above, 1.8 x where there is AMX.

![ratios of one text]({folder}/latency.svg)

{latency}
## Texts a second, in arrival order
The first texts of a test file, tokenised on the way, window 256. Ours is `predict`, which reads and writes them as well: packed
runs, a worker a core. OpenVINO takes padded batches of {sizes} in one stream or one a core, PyTorch batches of the same sizes; each
setting is tried for a moment and the best two on all texts. Bars: OpenVINO 2 x (imdb 1.8 x), PyTorch 6 x.

![ratios of texts a second]({folder}/texts.svg)

{texts}
## Over HTTP
One tweet a request, keep-alive, closed loop, requests a second. Bars: {http_bars}.
{wrk}

![ratios over HTTP]({folder}/http.svg)

{http}
P99 at half of the own maximum rate, open loop, Poisson arrivals, latency from the intended departure on. Bar: three times what one
core computes for a text of the P99 length, and 1 ms.

{tails}
## All P50
{all_latency}
## Answers and settings
Rules as in [benchmarks.md](benchmarks.md): labels as PyTorch fp32, 97 % for INT8; on the random weights the RMS of the logits'
difference, 5 %, for peers up to 25 %, then marked †. What misses its bar is not timed.

{settings}
{tried}
## How it was run
{versions}. It took {minutes:.0f} minutes. Raw results lie in build/bench/bars.

    make bench                               # with everything else
    make bench ARGS=bars                     # this page alone
    bench/bars.py --resume                   # what an interrupted run left, or what failed
    bench/bars.py --only "http minilm"       # stages by name, anew, against the kept ones
    bench/bars.py --report-only              # this page again from what was found
"""


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1e3:.3g} ms"


def rate(seconds):
    return "-" if seconds is None else f"{1 / seconds:,.0f}/s"


def share(verdict):
    return "-" if verdict.reached is None else f"{verdict.reached:.0%}"


def row_table(rows, unit):
    """Ratios first; `unit` makes cells of seconds."""
    return report.table(
        ["", "ratio", "bar", "of the bound", "verdict", "ours", "the best peer", "bound"],
        [[row.what, f"{row.verdict.ratio:.2f} x", f"{row.verdict.bar:.1f} x", share(row.verdict), row.verdict.text(),
          f"{unit(row.ours)} ({row.ours_by})", f"{unit(row.peer)} ({row.peer_by})", unit(row.bound)] for row in rows])


def sections(rows, kind, unit):
    """A table a model and peer."""
    out = []
    for model in MODELS:
        for family, title in FAMILIES.items():
            chosen = [row for row in rows if (row.kind, row.model, row.family) == (kind, model, family)]
            if chosen:
                out.append(f"### {MODELS[model][0].upper()}{MODELS[model][1:]} against {title}\n\n{row_table(chosen, unit)}")
                if (kind, family) == ("latency", "onnxruntime"):
                    out.append(f"Geometric mean {mean_text(chosen)}.\n")
    return "\n".join(out) or "Not measured.\n"


def mean_of(rows):
    """Of the ratios as they count."""
    return geometric_mean([row.verdict.counted for row in rows])


def mean_text(rows):
    counted, plain = mean_of(rows), geometric_mean([row.verdict.ratio for row in rows])
    verdict = "met" if counted >= ONNXRUNTIME_MEAN else f"**short by {1 - counted / ONNXRUNTIME_MEAN:.0%}**"
    return f"{plain:.2f} x, counted {counted:.2f} x of {ONNXRUNTIME_MEAN} x: {verdict}"


def summary(rows, tails):
    """How many bars are met, and those that are not."""
    short = [f"{MODELS[row.model].partition(' (')[0]}, {row.what}, against {FAMILIES[row.family]}: {row.verdict.ratio:.2f} x, "
             f"{row.verdict.text()}" for row in rows if not row.verdict.met]
    means = [chosen for model in MODELS if (chosen := [row for row in rows if (row.kind, row.model, row.family)
                                                       == ("latency", model, "onnxruntime")])]
    short += [f"{MODELS[chosen[0].model].partition(' (')[0]}, geometric mean of one text, against ONNX Runtime INT8: {mean_text(chosen)}"
              for chosen in means if mean_of(chosen) < ONNXRUNTIME_MEAN]
    short += [f"{MODELS[model].partition(' (')[0]}, P99 of an open loop: {found['load']['p99_ms']:.2f} ms, limit {limit:.2f} ms"
              for model, found, limit in tails if found["load"]["p99_ms"] > limit]
    count = len(rows) + len(means) + len(tails)
    by_bound = sum(row.verdict.met and row.verdict.ratio < row.verdict.bar for row in rows)
    return "\n".join([f"**{count - len(short)} of {count} bars are met**, {by_bound} of them by the bound." + " Short are:\n" * bool(short),
                      *(f"- {line}" for line in short)])


def peaks_table(rows):
    if not rows.measured_peaks:
        return "The peaks were not measured: without them there is no bound.\n"
    lines = [[f"int8 products in registers alone, {isa}, one core",
              *(f"{peaks['gops'][isa]:,.0f} GOP/s" if peaks["gops"][isa] else "absent" for peaks in rows.measured_peaks)]
             for isa in rows.measured_peaks[0]["gops"]]
    for model in rows.measured_peaks[0]["gbps"]:
        for cores in rows.measured_peaks[0]["gbps"][model]:
            lines.append([f"reading the int8 weights ({rows.encoders[model].weight_bytes() / 1e6:.1f} MB), {cores} core{'s'[:cores != '1']}",
                          *(f"{peaks['gbps'][model][cores]:.1f} GB/s" for peaks in rows.measured_peaks)])
    return (report.table(["the CPU's peaks", *("before", "after")[:len(rows.measured_peaks)]], lines)
            + f"\nOurs ran on {rows.isa()}. The larger figure of each line counts.\n")


def tail_table(tails):
    return report.table(
        ["", "P99", "limit", "verdict", "P50", "rate", "one core, a text of the P99 length"],
        [[MODELS[model].partition(" (")[0], f"{found['load']['p99_ms']:.2f} ms", f"{limit:.2f} ms",
          "met" if found["load"]["p99_ms"] <= limit else f"**over by {found['load']['p99_ms'] / limit - 1:.0%}**",
          f"{found['load']['p50_ms']:.2f} ms", f"{found['load']['requests_per_second']:,.0f} of {found['rate']:,.0f}/s",
          f"{found['compute_ms']:.2f} ms, {found['p99_tokens']} tokens"] for model, found, limit in tails])


def wrk_text(found):
    kept = found.get("wrk")
    if kept is None:
        return "The generator was not held against wrk."
    if kept["problem"]:
        return f"**The generator against wrk: {kept['problem']}.**"
    return "The generator against wrk in the same run: " + "; ".join(
        f"{row['connections']} connection{'s'[:row['connections'] != 1]} {row['ours']:,.0f} and {row['wrk']:,.0f} requests/s "
        f"({row['difference']:+.1%})" for row in kept["result"]["rows"]) + "."


def all_latency(found):
    tables = []
    for model in MODELS:
        of_side = {side: found[name]["result"] for side in LATENCY if (name := f"latency {model} {side.key}") in found
                   and found[name]["result"]}
        shapes = list(next(iter(of_side.values()))["latency"]) if of_side else []
        tables.append(report.table([f"{MODELS[model].partition(' (')[0]}, ms", *shapes], [
            [side.title + (" †" if result["marked"] else ""), *(f"{result['latency'][shape]['p50_ms']:.3f}" for shape in shapes)]
            for side, result in of_side.items()]))
    return "\n".join(tables)


def settings_table(found):
    """A line for each stage that has answers."""
    lines = []
    for name, kept in found.items():
        kind, *words = name.split()
        if kind not in ("latency", "texts", "http"):
            continue
        side = next(side for side in (*LATENCY, *TEXTS, *HTTP) if side.key == words[-1])
        result = kept["result"] or {}
        off = result.get("answers")
        told = ", ".join(f"{key} {value}" for key, value in (result.get("settings") or result.get("best") or {}).items())
        checked = "-" if off is None else f"{off:.2%}" if words[0] == "minilm" else f"{off:.1e}" + " †" * result["marked"]
        if kept["problem"]:
            told = f"left out: {kept['problem'].splitlines()[-1]}"
        lines.append([side.title, " ".join((kind, *words[:-1])), checked, told.replace("|", "/")])
    return report.table(["", "stage", "answers", "settings"], sorted(lines))


def tried_text(found):
    lines = []
    for name, kept in found.items():
        if name.startswith("texts") and kept["result"] and kept["result"]["tried"]:
            tried = ", ".join(f"{one['batch']}{' in two streams' * (one.get('streams', 1) > 1)}: {one['texts_per_second']:,.0f}"
                              for one in kept["result"]["tried"])
            lines.append(f"- {name}: {tried}")
    return "Texts a second of the batch sizes that were tried, for a moment each:\n\n" + "\n".join(lines) + "\n" if lines else ""


def plots(rows):
    out = {}
    for kind, title in (("latency", "One text, P50: how many times faster than the best peer"),
                        ("texts", "Texts a second: how many times as many"), ("http", "Requests a second: how many times as many")):
        out[f"{kind}.svg"] = report.bars(f"{title} (green: the bar is met)", "x", [
            (f"{FAMILIES[row.family]}, {row.model}, {row.what.partition(',')[0]}", row.verdict.ratio, row.verdict.met)
            for row in rows if row.kind == kind])
    return out


def write(found, machine, configs, target):
    """`found`: what is kept of each stage, by name; plots go into a folder beside `target`, of its name. Returns the rows as
    plain values."""
    judged = Rows(found, configs)
    rows, tails = list(judged.all()), list(judged.tails())
    versions = {}
    for kept in found.values():
        versions |= (kept["result"] or {}).get("versions", {})
    if any(name.endswith("infinity-torch") for name in found):
        versions["infinity-emb"] = report.installed_version(environment("infinity"), "infinity_emb")
    latest = max(((kept["date"], kept["commit"]) for kept in found.values()), default=("unknown", "unknown"))
    sizes = sorted({one["batch"] for kept in found.values() for one in (kept["result"] or {}).get("tried", ())})
    folder = target.with_suffix("")
    target.write_text(PAGE.format(
        folder=folder.name, date=machine["date"], commit=latest[1], cpu=machine["cpu"], sets=", ".join(machine["sets"]), cores=machine["cores"],
        memory=f"{machine['memory_bytes'] / 2**30:.0f} GiB", kernel=machine["kernel"], python=machine["python"],
        warnings=report.warnings(found), summary=summary(rows, tails), peaks=peaks_table(judged), ort=ONNXRUNTIME_BAR, mean=ONNXRUNTIME_MEAN,
        latency=sections(rows, "latency", milliseconds), texts=sections(rows, "texts", rate), http=sections(rows, "http", rate),
        sizes=", ".join(map(str, sizes)), http_bars=", ".join(f"{FAMILIES[family]} {bar:g} x" for family, bar in HTTP_BARS.items()),
        wrk=wrk_text(found), tails=tail_table(tails), all_latency=all_latency(found), settings=settings_table(found),
        tried=tried_text(found), versions=", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        minutes=sum(kept["seconds"] for kept in found.values()) / 60))
    folder.mkdir(exist_ok=True)
    for name, svg in plots(rows).items():
        (folder / name).write_text(svg)
    return [row.flat() for row in rows]
