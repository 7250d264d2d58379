"""The answers equal those of transformers and PyTorch in float32 on the same weights: a committed sample."""

import hashlib

import pytest

import support
import truth


@pytest.fixture(scope="module")
def golden():
    return truth.read_golden(support.SOURCE / "tests/golden/goemotions500.jsonl")


def test_golden_is_of_these_weights(golden):
    header, rows = golden
    weights = (support.SOURCE / "models/default/model.safetensors").read_bytes()
    assert header["model_sha256"] == hashlib.sha256(weights).hexdigest()
    assert len(rows) == 500


def test_predict_gives_the_labels_and_probabilities_of_pytorch(golden):
    truth.compare_predict(*golden)


def test_raw_scores_are_the_logits_of_pytorch(server, golden):
    truth.compare_logits(server, *golden)
