"""How each kind of side is prepared, asked and served."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import report
import servers
from servers import NotAnswering

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")
INFINITY_TEXTS = 200


class Deadline:
    """Of all that is done for one side."""

    def __init__(self, seconds):
        self.seconds, self.end = seconds, time.monotonic() + seconds

    def left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise NotAnswering(f"not done within {self.seconds:.0f} s")
        return left


def environment_of():
    """Of everything that is measured: nobody's options, no network, no telemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KS_")}
    return kept | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "ORT_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
                   "TRANSFORMERS_VERBOSITY": "error", "TORCHINDUCTOR_CACHE_DIR": str(WORK / "inductor")}


def environment(peer):
    return WORK / f"venv-{peer}"


def run(command, log, deadline):
    """Standard output of a command that must succeed; its standard error goes to `log`. At the deadline it is ended, with
    all that it started."""
    with open(log, "wb") as errors:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                   env=environment_of(), start_new_session=True)
        try:
            output = process.communicate(timeout=deadline.left())[0]
        except BaseException as failure:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(failure, subprocess.TimeoutExpired):
                raise NotAnswering(f"not done within {deadline.seconds:.0f} s") from None
            raise
    if process.returncode != 0:
        tail = pathlib.Path(log).read_text(errors="replace").strip().splitlines()
        raise NotAnswering(tail[-1] if tail and process.returncode > 0 else f"exit code {process.returncode}")
    return output


def log_of(side, stage):
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    return WORK / "logs" / f"{side.key}-{stage}.log"


def write_plan(plan):
    file = WORK / "plan.json"
    file.write_text(json.dumps(plan))
    return file


class Tools:
    def __init__(self, build):
        self.build = build
        self.binary, self.load, self.peaks = (build / "bin" / name for name in ("kubesentiment", "ks_load", "ks_peaks"))
        for file in (self.binary, self.load, self.peaks):
            if not file.exists():
                raise SystemExit(f"run.py: {file} is missing; `make bench` builds it")

    def sizes(self):
        """Of an installation that only serves, and of a whole one."""
        sizes, prefix = {}, WORK / "install"
        for key, component in (("install_bytes", ["--component", "runtime"]), ("full_install_bytes", [])):
            shutil.rmtree(prefix, ignore_errors=True)
            subprocess.run(["cmake", "--install", self.build, "--prefix", prefix, *component], check=True, stdout=subprocess.DEVNULL)
            sizes[key] = report.tree_bytes(prefix)
        shutil.rmtree(prefix)
        return sizes


class Ours:
    def __init__(self, side, tools):
        self.side, self.tools = side, tools
        numbers, _, run_threads = side.variant.partition("-")  # "int8-2": two cores for a run of bench
        self.precision = "fp32" if numbers == "pytorch" else numbers
        self.backend = "pytorch" if numbers == "pytorch" else "onnx"
        self.run_threads = run_threads or "1"

    def package(self, model):
        if model == "minilm":
            return self.tools.build / "share" / "kubesentiment" / "models" / "default"
        return WORK / "packages" / model

    def prepare(self, model, plan, deadline):
        package = self.package(model)
        manifest = package / "manifest.json"
        newest = max(self.tools.binary.stat().st_mtime, (WORK / "models" / model / "done").stat().st_mtime)
        if model == "minilm" or (manifest.exists() and manifest.stat().st_mtime > newest):
            return
        package.parent.mkdir(parents=True, exist_ok=True)
        run([self.tools.binary, "convert", WORK / "models" / model, "--output", package, "--overwrite", "--precision", "fp32,int8",
             "--max-length", "256", "--no-gate"], log_of(self.side, "prepare"), deadline)  # no gate: random weights decide nothing

    def flags(self):
        return ["--backend", self.backend, "--precision", self.precision]

    def temperature(self, model):
        return json.loads((self.package(model) / "manifest.json").read_text()).get("temperature", 1.0)

    def predict(self, model, texts, log, deadline):
        """A JSON object a line; what it says of its speed is in `log`."""
        file = WORK / "texts.jsonl"
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        return run([self.tools.binary, "predict", "--model", self.package(model), "--input", file, "--output", "-",
                    *self.flags()], log, deadline)

    def measure_texts(self, model, plan, deadline):
        """Twice, as the peers do; the faster counts. Reading the file and writing the answers are in the time."""
        log, speeds = log_of(self.side, f"{model}-texts"), []
        for _ in range(2):
            scored = self.predict(model, plan["texts"], log, deadline)
            speeds.append(float(re.search(r"([\d.]+) texts/s", log.read_text())[1]))
        rows = [json.loads(line)["scores"] for line in scored.splitlines()]
        return {"probabilities": [[row[label] for label in LABELS] for row in rows], "temperature": self.temperature(model),
                "texts_per_second": max(speeds), "best": {"workers": 2, "batch": "packed, up to 512 tokens"}, "tried": []}

    def measure(self, model, plan, deadline):
        package, binary, log = self.package(model), self.tools.binary, log_of(self.side, model)
        rows = [json.loads(line)["scores"] for line in self.predict(model, plan["texts"], log, deadline).splitlines()]
        shapes = ",".join(f"{sequences}x{tokens}" for sequences, tokens, _ in plan["shapes"])
        bench = json.loads(run([binary, "bench", package, "--scenario", "latency", "--seconds", plan["seconds"], "--shapes", shapes,
                                "--run-threads", self.run_threads, "--json", *self.flags()], log, deadline))
        return {"probabilities": [[row[label] for label in LABELS] for row in rows], "temperature": self.temperature(model),
                "latency": {f"{row['sequences']}x{row['tokens']}": {key: row[key] for key in ("p50_ms", "p99_ms", "count")}
                            for row in bench["latency"]},
                "settings": {"precision": self.precision, "threads": bench["threads_per_run"], "isa": bench["isa"]},
                "versions": {"kubesentiment": bench["version"]}}

    def server(self, model="minilm"):
        return [self.tools.binary, "serve", "--model", self.package(model), "--listen", "127.0.0.1:{port}",
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

    def prepare(self, model, plan, deadline):
        run([*self.command("prepare", model), "--plan", write_plan(plan)], log_of(self.side, "prepare"), deadline)

    def measure(self, model, plan, deadline):
        return json.loads(run([*self.command("measure", model), "--plan", write_plan(plan)], log_of(self.side, model), deadline))

    def measure_texts(self, model, plan, deadline):
        return json.loads(run([*self.command("texts", model), "--plan", write_plan(plan)],
                              log_of(self.side, f"{model}-texts"), deadline))

    def server(self, model="minilm"):
        return [*self.command("serve", model), "--port", "{port}"]

    def sizes(self):
        return {"install_bytes": report.environment_bytes(environment(self.side.peer), self.side.packages)
                + report.model_bytes(WORK / "models" / "minilm", self.side)}


class Infinity(Peer):
    """Has no process to ask but its server."""

    def prepare(self, model, plan, deadline):
        pass

    def measure(self, model, plan, deadline):
        bodies = [body_of(self.side, text) for text in plan["texts"][:INFINITY_TEXTS]]
        with servers.started(self.server(), self.side.path, bodies[0], log_of(self.side, model), environment_of(), deadline) as (port, _, _):
            answers = [servers.post(port, self.side.path, body) for body in bodies]
        return {"probabilities": [probabilities_of(self.side, answer) for answer in answers], "temperature": 1.0, "latency": {},
                "settings": {"engine": "torch", "dtype": "float32", "command line": "its own"},
                "versions": {"infinity-emb": report.installed_version(environment("infinity"), "infinity_emb")}}

    def server(self, model="minilm"):
        return [environment("infinity") / "bin" / "infinity_emb", "v2", "--model-id", WORK / "models" / model,
                "--served-model-name", "m", "--engine", "torch", "--device", "cpu", "--dtype", "float32",
                "--no-bettertransformer", "--no-model-warmup", "--port", "{port}"]


def body_of(side, text):
    return json.dumps({"model": "m", "input": [text]} if side.peer == "infinity" else {"text": text}).encode()


def probabilities_of(side, answer):
    """Of the body of a server's answer, in the order of LABELS."""
    answer = json.loads(answer)
    scores = {one["label"]: one["score"] for one in answer["data"][0]} if side.peer == "infinity" else answer["scores"]
    return [scores[label] for label in LABELS]


def adapter(side, tools):
    return {"ours": Ours, "infinity": Infinity}.get(side.peer, Peer)(side, tools)


def provide_models(deadline):
    """The models that all run, in build/bench/models. Made anew, with all that peers made of them, when the default model or
    the script that makes them changed."""
    maker, default = ROOT / "bench" / "peers" / "torch" / "make_models.py", ROOT / "models" / "default"
    source = hashlib.sha256()
    for file in (maker, *(default / name for name in ("config.json", "model.safetensors", "tokenizer.json"))):
        source.update(hashlib.sha256(file.read_bytes()).digest())
    stamp = WORK / "models" / "source"
    if stamp.exists() and stamp.read_text() == source.hexdigest():
        return
    shutil.rmtree(WORK / "models", ignore_errors=True)
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    run([environment("torch") / "bin" / "python", maker, default, WORK / "models"], WORK / "logs" / "models.log", deadline)
    stamp.write_text(source.hexdigest())
