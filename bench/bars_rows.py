"""From what the stages of bench/bars.py found to judged rows."""
import dataclasses
import math

import bound
from bars_sides import HTTP, LATENCY, MODELS, OURS, OURS_WIDE, TEXTS
from sides import BASELINE

# Bars of the table of docs/speed.md. Of a mean: of the ratios of all lengths.
ONNXRUNTIME_BAR, ONNXRUNTIME_MEAN = 1.5, 1.8
OPENVINO_AMX = 1.8
OPENVINO_BAR = lambda tokens: 1.3 if tokens <= 64 else 1.1  # noqa: E731
TEXTS_BARS = {("semeval2017", "openvino"): 2.0, ("imdb", "openvino"): 1.8, ("semeval2017", "torch"): 6.0, ("imdb", "torch"): 6.0}
HTTP_BARS = {"onnxruntime": 2.5, "torch": 12.0, "infinity": 12.0}
P99_FACTOR, P99_EXTRA_MS = 3, 1
RUN_TOKENS = 512  # that our engine takes at most into one run of many texts
FAMILIES = {"onnxruntime": "ONNX Runtime INT8", "openvino": "OpenVINO INT8", "torch": "PyTorch fp32", "infinity": "infinity-emb"}


@dataclasses.dataclass(frozen=True)
class Row:
    kind: str     # latency, texts, http
    model: str
    family: str   # whom it is held against
    what: str     # "64 tokens"
    ours: float   # seconds, of one text
    ours_by: str
    peer: float
    peer_by: str
    bound: float | None
    verdict: bound.Verdict

    def flat(self):
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "verdict"} | {
            "ratio": self.verdict.ratio, "bar": self.verdict.bar, "required": self.verdict.required,
            "reached": self.verdict.reached, "met": self.verdict.met}


class Rows:
    """`found`: stages by name; `configs`: config.json of each model. What was not found gives no row."""

    def __init__(self, found, configs):
        self.results = {name: kept["result"] for name, kept in found.items() if kept["result"] is not None}
        self.encoders = {model: bound.encoder_of(config) for model, config in configs.items()}
        self.measured_peaks = [self.results[name] for name in ("peaks before", "peaks after") if name in self.results]

    def isa(self):
        return next((result["settings"]["isa"] for name, result in self.results.items()
                     if name.startswith("latency") and name.endswith(OURS.key)), "unknown")

    def gops(self):
        """Of one core, with the instruction set that ours runs on; None where that was not measured."""
        isa = "amx" if "amx" in self.isa() else self.isa()
        return max((peaks["gops"][isa] for peaks in self.measured_peaks if peaks["gops"].get(isa)), default=None)

    def gbps(self, model):
        return {int(cores): max(peaks["gbps"][model][cores] for peaks in self.measured_peaks)
                for cores in (self.measured_peaks[0]["gbps"][model] if self.measured_peaks else ())}

    def bound(self, model, tokens, texts, cores):
        """Seconds of a run; None without the peaks."""
        gops, gbps = self.gops(), self.gbps(model)
        if gops is None or cores not in gbps:
            return None
        return bound.Peaks(gops, gbps).seconds(self.encoders[model], tokens, texts, cores)

    def latency(self, model):
        of_side = {side: self.results[f"latency {model} {side.key}"]["latency"] for side in LATENCY
                   if f"latency {model} {side.key}" in self.results}
        for family in ("onnxruntime", "openvino"):
            for shape in next(iter(of_side.values()), ()):
                tokens = int(shape.split("x")[1])
                fastest = lambda peer: min(((times[shape]["p50_ms"] / 1e3, side) for side, times in of_side.items()  # noqa: E731
                                            if side.peer == peer), key=lambda one: one[0], default=None)
                ours, peer = fastest("ours"), fastest(family)
                if ours is None or peer is None:
                    continue
                cores = 2 if ours[1] == OURS_WIDE else 1
                least = self.bound(model, tokens, 1, cores)
                bar = ONNXRUNTIME_BAR if family == "onnxruntime" else OPENVINO_AMX if "amx" in self.isa() else OPENVINO_BAR(tokens)
                yield Row("latency", model, family, f"{tokens} tokens", ours[0], f"{cores} thread{'s'[:cores > 1]}", peer[0],
                          peer[1].title, least, bound.judge(ours[0], peer[0], bar, least))

    def texts(self, model, data):
        result = {side.peer: (side, self.results.get(f"texts {model} {data} {side.key}")) for side in TEXTS}
        ours, reference = result["ours"][1], result["torch"][1]
        if ours is None or reference is None:
            return
        count, tokens = reference["texts"], reference["tokens"]
        runs = math.ceil(tokens / RUN_TOKENS)  # at least
        least = self.bound(model, tokens / runs, count / runs, 2)
        least = least and least * runs / count
        for family in ("openvino", "torch"):
            side, peer = result[family]
            if peer is None:
                continue
            mine, theirs = 1 / ours["texts_per_second"], 1 / peer["texts_per_second"]
            how = ", ".join(f"{key} {value}" for key, value in peer["best"].items() if key in ("streams", "batch"))
            yield Row("texts", model, family, f"{data}, {count} texts of {tokens / count:.0f} tokens", mine, "2 workers", theirs,
                      f"{side.title.partition(',')[0]}: {how}", least, bound.judge(mine, theirs, TEXTS_BARS[data, family], least))

    def http(self, model):
        of_side = {side: self.results[f"http {model} {side.key}"]["load"] for side in HTTP if f"http {model} {side.key}" in self.results}
        if OURS not in of_side:
            return
        for family, bar in HTTP_BARS.items():
            for count, load in of_side[OURS].items():
                rate, side = max(((loads[count]["requests_per_second"], side) for side, loads in of_side.items() if side.peer == family),
                                 key=lambda one: one[0], default=(0, None))
                if side is None:
                    continue
                least = self.bound(model, load["tokens_a_run"], load["texts_a_run"], 2)
                least = least and least / load["texts_a_run"]
                mine, theirs = 1 / load["requests_per_second"], 1 / rate
                yield Row("http", model, family, f"{count} connection{'s'[:count != '1']}", mine,
                          f"{load['texts_a_run']:.1f} texts a run", theirs, side.title, least,
                          bound.judge(mine, theirs, bar, least, bound.HTTP_SHARE))

    def all(self):
        for model in MODELS:
            yield from self.latency(model)
            for data in ("semeval2017", "imdb"):
                yield from self.texts(model, data)
            yield from self.http(model)

    def tails(self):
        """(model, what was found, limit in ms) of each open loop."""
        for model in MODELS:
            if found := self.results.get(f"open {model}"):
                yield model, found, P99_FACTOR * found["compute_ms"] + P99_EXTRA_MS
