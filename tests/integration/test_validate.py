"""`validate` as a gate: what passes, what fails and with which words, and the recipe of docs/pipeline.md."""

import gzip
import json
import lzma
import os
import pathlib
import re
import subprocess

import numpy
import pytest

import support
import tamper

SIDES = ["--candidate", "fp32", "--reference", "fp32"]


def validate(directory, *arguments, sides=SIDES, **options):
    return support.run("validate", directory, *sides, "--threads", "1", *arguments, **options)


@pytest.fixture(scope="module")
def rows():
    """Real texts with the labels that the model itself gives them: it is right on all."""
    golden = support.SOURCE / "tests/golden/goemotions500.jsonl"
    header, *lines = map(json.loads, golden.read_text(encoding="utf-8").splitlines())
    best = [max(range(3), key=line["logits"].__getitem__) for line in lines]
    return [(line["text"], header["labels"][label]) for line, label in zip(lines, best)][:200]


@pytest.fixture(scope="module")
def data(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": l}) + "\n" for t, l in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small checkpoint and its fp32 package."""
    root = tmp_path_factory.mktemp("tiny")
    subprocess.run([os.environ["KS_TINY_CHECKPOINT"], root / "checkpoint"], check=True)
    done = support.run("convert", root / "checkpoint", "--output", root / "package", "--precision", "fp32")
    assert done.returncode == 0, done.stderr
    return root


# --- What passes ---

def test_a_sound_package_passes_and_is_reported(data, tmp_path):
    report = tmp_path / "report.json"
    done = validate(support.MODEL, "--data", data, "--checkpoint", support.SOURCE / "models/default",
                    "--min-accuracy", "99%", "--layers", "--report", report)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    assert "agreement 100 % (200 of 200)" in done.stdout.decode()
    found = json.loads(report.read_text())
    assert found["passed"] is True
    assert [g["name"] for g in found["gates"]] == ["max-diff", "mean-diff", "min-accuracy", "accuracy-significance",
                                                   "checkpoint", "layers"]
    assert found["accuracy"]["candidate"]["accuracy"] == 1
    assert [tap["tap"] for tap in found["layers"]["taps"]] == ["embeddings"] + [f"layer.{i}" for i in range(6)]
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n") and "<svg" in page


def test_json_is_the_report_and_the_same_every_time(data, tmp_path):
    one = validate(support.MODEL, "--data", data, "--json", "--report", tmp_path / "r.json")
    two = support.run("validate", support.MODEL, *SIDES, "--threads", "2", "--data", data, "--json")
    assert one.returncode == 0, one.stderr
    assert one.stdout == (tmp_path / "r.json").read_bytes()
    assert one.stdout == two.stdout


def test_files_of_every_kind_are_one_data_set(rows, tmp_path):
    header, tsv = "text\tlabel\n", "".join(f"{t}\t{l.lower()}\n" for t, l in rows[:40])
    (tmp_path / "a.tsv.xz").write_bytes(lzma.compress((header + tsv).encode()))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress("".join(
        json.dumps({"text": t, "label": l}) + "\n" for t, l in rows[40:60]).encode()))
    (tmp_path / "c.txt").write_text("".join(t + "\n" for t, _ in rows[60:70]), encoding="utf-8")
    done = validate(support.MODEL, "--data", tmp_path / "a.tsv.xz", tmp_path / "b.jsonl.gz", "--data", tmp_path / "c.txt",
                    "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(f["texts"], f["accuracy"] is not None) for f in found["files"]] == [(40, True), (20, True), (10, False)]
    assert found["accuracy"]["texts"] == 60


def test_a_file_of_two_classes_on_a_model_of_three(rows, tmp_path):
    ids = {"NEGATIVE": 0, "POSITIVE": 2}
    lines = [f"{ids[l]}\t{t}\n" for t, l in rows if l in ids]
    (tmp_path / "two.tsv").write_text("".join(lines), encoding="utf-8")
    done = validate(support.MODEL, "--data", tmp_path / "two.tsv", "--no-header", "--text-column", "2", "--label-column", "1",
                    "--label-ids", "--classes", "negative,POSITIVE", "--min-accuracy", "1", "--samples", "50", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["classes"] == ["NEGATIVE", "POSITIVE"]
    assert found["data"]["rows"] == len(lines) and found["data"]["texts"] == 50


# --- What must fail: exit 1 and the gate by name ---

def test_swapped_labels_fail_accuracy_and_checkpoint(data, tmp_path):
    package = tamper.swap_labels(support.MODEL, tmp_path / "swapped")
    done = validate(package, "--data", data, "--min-accuracy", "90%", "--report", tmp_path / "r.json")
    assert done.returncode == 1
    message = done.stderr.decode()
    assert re.match(r"validation failed: the candidate's accuracy is [\d.]+ %, below 90 % \(--min-accuracy\); the reference "
                    r"reaches [\d.]+ %.* try --checkpoint", message), message
    assert json.loads((tmp_path / "r.json").read_text())["passed"] is False
    done = validate(package, "--data", data, "--checkpoint", support.SOURCE / "models/default")
    assert done.returncode == 1
    assert "validation failed: label 0 is POSITIVE" in done.stderr.decode()
    assert "says NEGATIVE (--checkpoint)" in done.stderr.decode()


INT8 = ["--candidate", "int8", "--reference", "fp32"]


@pytest.fixture(scope="module")
def half_again(tmp_path_factory):
    """The scales of one INT8 matrix multiplied by 1.5."""
    def change(tensors):
        tensors["layer.2.ffn.out.scales"] *= 1.5
    return tamper.change_int8(support.MODEL, tmp_path_factory.mktemp("half_again") / "package", change)


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    """The INT8 scales in another order, of every matrix."""
    def change(tensors):
        random = numpy.random.default_rng(1)
        for name in tensors:
            if name.endswith(".scales"):
                random.shuffle(tensors[name])
    return tamper.change_int8(support.MODEL, tmp_path_factory.mktemp("shuffled") / "package", change)


def test_a_sound_int8_passes(data):
    done = validate(support.MODEL, "--data", data, "--min-agreement", "98%", "--max-accuracy-loss", "2%", "--layers", sides=INT8)
    assert done.returncode == 0, done.stderr.decode()


def test_wrong_scales_of_one_matrix_fail_and_the_layer_is_named(half_again, data, tmp_path):
    done = validate(half_again, "--data", data, "--layers", "--report", tmp_path / "r.json", sides=INT8)
    assert done.returncode == 1, done.stdout.decode()
    message = done.stderr.decode()
    assert message.startswith("validation failed: the mean |difference| of the probabilities is ")
    assert "(--mean-diff)" in message and "rows.jsonl line " in message
    assert "the sides part at layer.2, where" in message
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["layers"]["first_outside"] == "layer.2"


def test_shuffled_scales_fail(shuffled, data):
    done = validate(shuffled, "--data", data, sides=INT8)
    assert done.returncode == 1, done.stdout.decode()
    message = done.stderr.decode()
    assert "(--mean-diff)" in message and "(--min-agreement)" in message and "(accuracy-significance)" in message
    assert "try --layers" in message


def test_nothing_but_a_gate_sees_the_tampered_package(half_again):
    """The tampered packages are signed: without a gate nothing sees what is wrong with them."""
    done = support.run("predict", "--model", half_again, "--precision", "int8", "I love this")
    assert done.returncode == 0, done.stderr


def test_int8_has_the_same_bits_alone_and_in_batches(tiny, rows, tmp_path):
    done = support.run("convert", tiny / "checkpoint", "--output", tmp_path / "package", "--no-gate")
    assert done.returncode == 0, done.stderr
    (tmp_path / "a.txt").write_text("".join(t + "\n" for t, _ in rows), encoding="utf-8")
    done = validate(tmp_path / "package", "--data", tmp_path / "a.txt", "--min-agreement", "0", "--mean-diff", "1",
                    "--batch-invariance", "--json", sides=INT8)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["batch_invariance"]
    assert results[-1]["isa"] == "scalar" and len(results) > 1
    assert all(r["different"] == 0 and r["places"] == 2079 and r["texts"] == 200 for r in results)


def test_bounds_on_accuracy_need_labels(rows, tmp_path):
    (tmp_path / "c.txt").write_text("".join(t + "\n" for t, _ in rows[:10]), encoding="utf-8")
    done = validate(support.MODEL, "--data", tmp_path / "c.txt", "--max-accuracy-loss", "0.1%")
    assert done.returncode == 1
    assert "no text has a label" in done.stderr.decode() and "(--max-accuracy-loss)" in done.stderr.decode()


# --- What is wrong before anything runs ---

@pytest.mark.parametrize("content, arguments, code, parts", [
    ("text,label\ngood,POSITIVE\nbad,mixed\n", [], 3, ["line 3", "NEGATIVE, NEUTRAL, POSITIVE", '"mixed"']),
    ("text,label\ngood,POSITIVE\nfine,POSITIVE\n", [], 3, ["every row has the label", "POSITIVE"]),
    ("text,label\ngood,POSITIVE\n ,NEGATIVE\n", [], 3, ["line 3", "blank"]),
    ("", [], 3, ["empty"]),
    ("text,label\n", [], 3, ["no rows"]),
    ("text,label\ngood,POSITIVE\nbad,NEGATIVE\n", ["--label-column", "gold"], 2, ['"gold"', "text, label"]),
    ("review,stars\ngood,5\n", [], 2, ["review, stars"]),
    ("text\ngood\n", ["--classes", "A,B"], 2, ["--classes", "NEGATIVE, NEUTRAL, POSITIVE"]),
    ("text\ngood\n", ["--min-agreement", "99.5"], 2, ["--min-agreement", "99.5%"]),
    ("text\ngood\n", ["--max-diff", "-1"], 2, ["--max-diff"]),
    ("text\ngood\n", ["--report", "r.html"], 2, [".json"]),
    ("text\ngood\n", ["--batch-invariance"], 2, ["int8"]),
    ("text\ngood\n", ["--checkpoint", "nowhere"], 3, ["nowhere/config.json"]),
])
def test_bad_data_and_flags(tmp_path, content, arguments, code, parts):
    path = tmp_path / "rows.csv"
    path.write_text(content)
    done = validate(support.MODEL, "--data", path, *arguments, cwd=tmp_path)
    message = done.stderr.decode()
    assert done.returncode == code, message
    assert done.stdout == b"" and sorted(os.listdir(tmp_path)) == ["rows.csv"]
    assert message.startswith("error: ") and message.count("\n") == 1
    for part in parts:
        assert part in message


def test_another_precision_is_never_taken_instead(tiny, tmp_path):
    (tmp_path / "a.txt").write_text("good movie\n")
    done = validate(tiny / "package", "--data", tmp_path / "a.txt", sides=["--candidate", "int8"])
    assert done.returncode == 3
    assert "int8" in done.stderr.decode()


def test_a_missing_file_is_named(tmp_path):
    done = validate(support.MODEL, "--data", tmp_path / "none.tsv")
    assert done.returncode == 3 and "none.tsv" in done.stderr.decode()
    done = validate(tmp_path / "no-package", "--data", tmp_path / "none.tsv")
    assert done.returncode == 3 and "no-package" in done.stderr.decode()


# --- docs/pipeline.md ---

def run_recipe(tmp_path, **variables):
    page = (support.SOURCE / "docs/pipeline.md").read_text(encoding="utf-8")
    script = re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1]
    binary = pathlib.Path(support.BINARY)
    env = support.ENVIRONMENT | {"PATH": f"{binary.parent}:{os.environ['PATH']}"} | {k: str(v) for k, v in variables.items()}
    return subprocess.run(["sh", "-c", script], env=env, cwd=tmp_path, capture_output=True, timeout=300)


def test_the_recipe_lets_a_sound_model_pass(data, tmp_path):
    done = run_recipe(tmp_path, CHECKPOINT=support.SOURCE / "models/default", DATA=data, MIN_ACCURACY="95%",
                      PACKAGE=tmp_path / "package")
    assert done.returncode == 0, done.stderr.decode()
    assert sorted(os.listdir(tmp_path)) == ["package", "package.report.html", "package.report.json"]
    assert support.run("inspect", tmp_path / "package", "--verify").returncode == 0


def test_the_recipe_stops_a_model_that_is_not_good_enough(tiny, data, tmp_path):
    (tmp_path / "package").mkdir()
    done = run_recipe(tmp_path, CHECKPOINT=tiny / "checkpoint", DATA=data, MIN_ACCURACY="95%", PACKAGE=tmp_path / "package")
    assert done.returncode == 1
    assert "(--min-accuracy)" in done.stderr.decode()
    assert os.listdir(tmp_path / "package") == []


def test_the_recipe_tells_a_broken_pipeline_from_a_bad_model(tmp_path):
    done = run_recipe(tmp_path, CHECKPOINT=tmp_path / "none", DATA="none.csv", MIN_ACCURACY="95%", PACKAGE=tmp_path / "package")
    assert done.returncode == 3
