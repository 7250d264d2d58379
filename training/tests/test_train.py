"""The two programs, from a bare encoder to a card, on a model of two layers and texts made here."""

import json
import pathlib
import random
import re
import subprocess
import sys

import pytest
import safetensors.torch
import tokenizers
import torch
import transformers

from finetune import LABELS, Error, checkpoint, judge, texts

TRAINING = pathlib.Path(__file__).resolve().parent.parent
WORDS = {"negative": ["awful", "bad", "dull"], "neutral": ["plain", "table"], "positive": ["good", "great", "fine"]}
FILLERS = [f"w{i}" for i in range(30)]
RECIPE = """
start = "encoder"
seed = 0
epochs = 10.0
batch_tokens = 512
learning_rate = 3e-3
warmup_steps = 5
weight_decay = 0.0
gradient_norm = 1.0
average_decay = 0.9
"""


def run(script, *arguments):
    command = [sys.executable, "-B", TRAINING / script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def write_texts(path, count, labels, source):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for _ in range(count):
        label = source.choice(labels)
        words = source.choices(FILLERS, k=source.randint(2, 9)) + [source.choice(WORDS[label])]
        source.shuffle(words)
        rows.append(f"{label}\t{' '.join(words)}\n")
    path.write_text("".join(rows), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    source = random.Random(7)
    every = {"sst2/train": (400, True), "semeval2017/train": (400, False)}
    every |= {name: (60, two_way) for name, two_way in (judge.DEV_FILES | judge.TEST_FILES).items()}
    for name, (count, two_way) in every.items():
        write_texts(folder / f"{name}.tsv", count, ["negative", "positive"] if two_way else list(WORDS), source)
    leaked = (folder / "imdb" / "test.tsv").read_text(encoding="utf-8").splitlines()[0]
    with open(folder / "sst2" / "train.tsv", "a", encoding="utf-8") as file:
        file.write(leaked.upper().replace(leaked.split("\t")[0].upper(), leaked.split("\t")[0], 1) + "\n")
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FILLERS, *(w for words in WORDS.values() for w in words)]
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.2)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt"))
    # As in the real encoder's file: its own truncation and padding must not be obeyed.
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).write_text("{}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE + "".join(
        f'[[set]]\nname = "{name}"\ntwo_way = {two_way}\ntimes = 1.0\nwindows = [32]\n'
        for name, two_way in (("sst2", "true"), ("semeval2017", "false"))), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(data, encoder, recipe, tmp_path_factory):
    """The output of a run in two parts."""
    output = tmp_path_factory.mktemp("output")
    arguments = ["--recipe", recipe, "--start", encoder, "--data", data, "--output", output, "--device", "cpu", "--threads", 1]
    first = run("train.py", *arguments, "--until", 7)
    assert first.returncode == 0, first.stderr
    assert json.loads((output / "facts.json").read_text())["steps"] == 7
    assert (output / "average" / "model.safetensors").exists()
    second = run("train.py", *arguments)
    assert second.returncode == 0, second.stderr
    assert "step 7 of " in second.stdout
    return output


def test_writes_whole_model_directories(finished):
    for name in ("last", "average"):
        assert {p.name for p in (finished / name).iterdir()} == {"config.json", "model.safetensors", *checkpoint.TOKENIZER_FILES}
        config = json.loads((finished / name / "config.json").read_text())
        assert config["id2label"] == dict(zip("012", LABELS, strict=True))
        assert config["architectures"] == ["BertForSequenceClassification"]
        tensors = safetensors.torch.load_file(finished / name / "model.safetensors")
        assert {t.dtype for t in tensors.values()} == {torch.float16} and "classifier.weight" in tensors


def test_leaves_out_what_a_test_file_has(finished):
    facts = json.loads((finished / "facts.json").read_text())
    assert facts["steps"] == facts["steps_planned"]
    assert facts["sets"]["sst2"]["dropped_as_held_out"] >= 1
    assert facts["sets"]["sst2"]["rows"] + facts["sets"]["sst2"]["dropped_as_held_out"] == 401


def test_the_choice_is_measured_and_gets_a_card(finished, data, encoder):
    baseline = finished / "baseline"
    torch.manual_seed(1)
    checkpoint.save(baseline, checkpoint.load(encoder, "encoder").state_dict(), encoder)
    done = run("evaluate.py", "--run", finished, "--baseline", baseline, "--data", data, "--device", "cpu", "--threads", 1)
    results = json.loads((finished / "results.json").read_text())
    # The words decide, so a model that learned is nearly perfect; one with a new head guesses.
    assert results["test_mean"] > 0.9 > results["baseline_test_mean"], done.stdout
    assert results["candidates"].keys() == {"last", "average"} and results["chosen"] in results["candidates"]
    assert not any(entry["significantly_worse"] for entry in results["comparison"].values())
    assert results["weights_sha256"] == checkpoint.sha256_of(finished / "chosen")
    card = (finished / "chosen" / "README.md").read_text(encoding="utf-8")
    assert all(name in card for name in results["scores"]) and not re.search(r"\{\w+\}", card)
    again = run("evaluate.py", "--run", finished, "--baseline", finished / "chosen", "--data", data, "--device", "cpu")
    assert again.returncode == 1 and "expected above the baseline's" in again.stderr


def test_mixing_is_linear(finished):
    last, average = (checkpoint.weights_of(finished / name) for name in ("last", "average"))
    mixed = checkpoint.mix(last, average, 0.25)
    name = "classifier.weight"
    assert torch.allclose(mixed[name], 0.25 * last[name].float() + 0.75 * average[name].float())


def test_refuses_a_classifier_of_other_labels(finished, tmp_path):
    (tmp_path / "config.json").write_text((finished / "last" / "config.json").read_text().replace("NEUTRAL", "MIXED"))
    with pytest.raises(Error, match=r"config\.json: id2label: expected .*NEUTRAL.*found .*MIXED"):
        checkpoint.load(tmp_path, "classifier")
    with pytest.raises(Error, match=r"none/config\.json: expected a model directory"):
        checkpoint.load(tmp_path / "none", "classifier")


def test_refuses_weights_that_float16_cannot_hold(finished, tmp_path):
    tensors = checkpoint.weights_of(finished / "last")
    tensors["classifier.bias"] = torch.tensor([0.0, 1e6, 0.0])
    with pytest.raises(Error, match=r"classifier\.bias: expected numbers that float16 can hold"):
        checkpoint.save(tmp_path / "made", tensors, finished / "last")
    assert not (tmp_path / "made").exists()


def test_says_what_is_missing(data, encoder, recipe, tmp_path):
    done = run("train.py", "--recipe", recipe, "--start", encoder, "--data", tmp_path, "--output", tmp_path / "out")
    assert done.returncode == 1 and "expected folders with dev.tsv and test.tsv" in done.stderr
    done = run("evaluate.py", "--run", tmp_path, "--baseline", encoder, "--data", data)
    assert done.returncode == 1 and "expected a model that train.py wrote" in done.stderr


def test_files_are_read_once(data):
    files = judge.Files(data)
    classes, written = files.get("sst2/dev", True)
    assert (len(classes), len(written)) == (60, 60)
    assert files.get("sst2/dev", True)[1] is written
    with pytest.raises(texts.Error, match="none"):
        files.get("none/dev", True)
