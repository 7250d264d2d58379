"""`convert`: the temperature from its flag to every score, and what is said of the texts of a calibration."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

import support
import truth
from test_pytorch import needs_plugin

TEXTS = ["good movie", "this is not great", "bad", "awful, awful, awful!", "i love the movie"]


@pytest.fixture
def checkpoint(tmp_path):
    subprocess.run([os.environ["KS_TINY_CHECKPOINT"], tmp_path / "checkpoint"], check=True)
    return tmp_path / "checkpoint"


def convert(checkpoint, *arguments, package="package"):
    """Converts beside the checkpoint, over what is there; the ended process and the package."""
    target = checkpoint.parent / package
    done = support.run("convert", checkpoint, "--output", target, "--overwrite", *arguments)
    return done, target


def convert_well(checkpoint, *arguments):
    done, package = convert(checkpoint, *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return package


# --- The temperature ---

def logits_and_scores(server):
    """Of each text, by label."""
    def ask(function):
        answer = server.post("/", {"inputs": TEXTS, "parameters": {"function_to_apply": function}})
        assert answer.status == 200, answer.body
        return [{s["label"]: s["score"] for s in scores} for scores in answer.json()]
    return zip(ask("none"), ask("softmax"))


@pytest.mark.parametrize("options", [
    ["--precision", "int8"], ["--precision", "fp32"], pytest.param(["--backend", "pytorch"], marks=needs_plugin)])
def test_every_side_divides_its_logits_by_the_temperature(checkpoint, options):
    package = convert_well(checkpoint, "--temperature", "2.5", "--no-gate")
    with support.Server(*options, "--threads", "1", model=package) as server:
        info = server.get("/model-info").json()
        assert info["temperature"] == 2.5
        assert info["int8"] == {"calibrated": False, "fp32_layers": []} and info["gate"] == "skipped"
        for logits, scores in logits_and_scores(server):
            want = truth.softmax(list(logits.values()), 2.5)
            assert [scores[label] for label in logits] == pytest.approx(want, abs=1e-6)
        answer = server.post("/api/v1/predict", {"text": TEXTS[0]}).json()
        assert answer["scores"] == pytest.approx(next(logits_and_scores(server))[1], abs=1e-6)


def test_predict_and_inspect_know_the_temperature(checkpoint):
    package = convert_well(checkpoint, "--temperature", "2.5", "--precision", "fp32")
    found = json.loads(support.run("inspect", package, "--json").stdout)
    assert found["temperature"] == 2.5 and found["gate"] is None
    assert b"temperature 2.5" in support.run("inspect", package).stdout
    hot = json.loads(support.run("predict", "--model", package, "--json", *TEXTS[:1]).stdout)["scores"]
    plain = convert_well(checkpoint, "--precision", "fp32")
    cold = json.loads(support.run("predict", "--model", plain, "--json", *TEXTS[:1]).stdout)["scores"]
    weights = {label: p ** (1 / 2.5) for label, p in cold.items()}
    assert hot == pytest.approx({label: w / sum(weights.values()) for label, w in weights.items()}, abs=1e-6)


def test_a_kept_temperature_needs_no_flag_and_belongs_to_its_weights(checkpoint):
    kept = checkpoint / "temperature.json"
    convert_well(checkpoint, "--precision", "fp32", "--temperature", "1.25", "--save-temperature", kept)
    assert truth.temperature_of(convert_well(checkpoint, "--precision", "fp32")) == 1.25
    assert truth.temperature_of(convert_well(checkpoint, "--precision", "fp32", "--temperature", "1.5")) == 1.5
    found = json.loads(kept.read_text())
    kept.write_text(json.dumps(found | {"weights_sha256": "0" * 64}))
    done, _ = convert(checkpoint, "--precision", "fp32")
    message = done.stderr.decode()
    assert done.returncode == 3 and "temperature.json" in message and "0" * 64 in message
    assert found["weights_sha256"] in message and "--temperature" in message


@pytest.mark.parametrize("arguments, words", [
    (["--temperature", "0"], "temperature: expected a number from 0.001 to 1000, found 0"),
    (["--temperature", "-1"], "found -1"),
    (["--temperature", "nan"], "found nan"),
    (["--temperature", "inf"], "found inf"),
    (["--temperature", "1e999"], '--temperature: expected a number, found "1e999"'),
    (["--temperature", "warm"], '--temperature: expected a number, found "warm"'),
    (["--save-temperature", "t.json"], "save-temperature: expected a temperature to keep, found none"),
])
def test_a_temperature_that_is_none(checkpoint, arguments, words):
    done, package = convert(checkpoint, *arguments)
    assert done.returncode == 2 and words in done.stderr.decode(), done.stderr
    assert not package.exists()


# --- Calibration ---

def test_rows_that_cannot_be_read_are_counted_and_the_gate_asks_over_the_others(checkpoint, tmp_path):
    rows = [json.dumps({"text": text}) for text in TEXTS]
    bad = ["{", json.dumps({"text": " "}), json.dumps({"text": 1})] * 8
    (tmp_path / "rows.jsonl").write_text("\n".join(rows[:2] + bad + rows[2:]) + "\n")
    done, package = convert(checkpoint, "--calibration", tmp_path / "rows.jsonl")
    message = done.stderr.decode()
    assert done.returncode == 0, message
    assert f"left out: {tmp_path}/rows.jsonl: line 3: " in message
    assert message.count("left out: ") == 20
    assert f"{tmp_path}/rows.jsonl: 24 of 29 rows could not be read and are left out\n" in message
    measured = json.loads((package / "validation.json").read_text())
    assert measured["data"]["files"] == [{"name": "calibration texts", "rows": 5, "labelled": False}]
    found = json.loads(support.run("inspect", package, "--json").stdout)
    assert found["int8"]["calibrated"] is True and found["gate"] == "passed"


def test_a_full_disk_loses_neither_the_old_calibration_nor_the_package(checkpoint, tmp_path):
    texts, kept = tmp_path / "texts.txt", tmp_path / "kept.safetensors"
    texts.write_text("\n".join(TEXTS) + "\n")
    kept.write_bytes(b"before")
    pathlib.Path(f"{kept}.staging").symlink_to("/dev/full")
    done, package = convert(checkpoint, "--calibration", texts, "--save-calibrated", kept)
    assert done.returncode == 1 and "kept.safetensors" in done.stderr.decode(), done.stderr
    assert "No space left on device" in done.stderr.decode()
    assert kept.read_bytes() == b"before" and not package.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "kept.safetensors", "texts.txt"]


def test_the_default_model_comes_with_its_temperature(tmp_path):
    kept = json.loads((support.SOURCE / "models/default/temperature.json").read_text())["temperature"]
    assert truth.temperature_of() == kept != 1
    copy = shutil.copytree(support.SOURCE / "models/default", tmp_path / "copy")
    assert truth.temperature_of(convert_well(copy, "--precision", "fp32")) == kept
