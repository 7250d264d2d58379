"""The clients people own already, pointed at the server by endpoint URL."""

import json
import os
import subprocess

import huggingface_hub
import pytest
from prometheus_client.parser import text_string_to_metric_families

import support

LABELS = {"NEGATIVE", "NEUTRAL", "POSITIVE"}


def test_huggingface_hub_classifies(server):
    client = huggingface_hub.InferenceClient(base_url=server.url, token="hf_cached", timeout=20)
    elements = client.text_classification("I love this")
    assert elements[0].label == "POSITIVE"
    assert {e.label for e in elements} == LABELS
    assert [e.score for e in elements] == sorted((e.score for e in elements), reverse=True)
    assert sum(e.score for e in elements) == pytest.approx(1, abs=1e-5)


def test_huggingface_hub_passes_its_parameters(server):
    client = huggingface_hub.InferenceClient(base_url=server.url, timeout=20)
    elements = client.text_classification("I hate this", top_k=2, function_to_apply="sigmoid")
    assert len(elements) == 2
    assert elements[0].label == "NEGATIVE"
    assert sum(e.score for e in elements) != pytest.approx(1, abs=1e-3)


def test_huggingface_hub_sees_the_error(server):
    client = huggingface_hub.InferenceClient(base_url=server.url, timeout=20)
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError) as error:
        client.text_classification("   ")
    assert error.value.response.status_code == 422


def test_huggingface_js_classifies(server):
    folder = os.environ["KS_JS_DIR"]  # node_modules, installed at set-up
    done = subprocess.run(
        ["node", "classify.mjs", server.url, "I love this", "I hate this"],
        cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    loved, hated = [json.loads(line) for line in done.stdout.splitlines()]
    assert loved[0]["label"] == "POSITIVE" and hated[0]["label"] == "NEGATIVE"
    assert {e["label"] for e in loved} == LABELS


def parse_metrics(text):
    """{name: {frozenset(labels): value}} of every sample."""
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return samples


def total(samples, name, **labels):
    return sum(v for key, v in samples.get(name, {}).items() if set(labels.items()) <= key)


def test_every_series_is_there_at_zero_before_the_first_request():
    with support.Server() as fresh:
        samples = parse_metrics(fresh.get("/metrics").body.decode())
    for name in [
        "ml_inference_duration_seconds_count", "ml_predictions_total", "ml_prediction_confidence_count", "ml_tokens_total",
        "ml_truncated_total", "ml_batch_size_count", "ml_batch_tokens_count", "ml_queue_tokens", "ml_queue_wait_seconds_count",
        "ml_rejected_total",
    ]:
        assert name in samples, name
        assert total(samples, name) == 0, name
        assert all("model" in dict(key) for key in samples[name]), name
    assert {dict(key)["label"] for key in samples["ml_predictions_total"]} == LABELS
    assert {dict(key)["reason"] for key in samples["ml_rejected_total"]} == {"queue_full", "deadline", "draining", "too_large", "abandoned"}
    assert total(samples, "ml_model_load_duration_seconds", backend="onnx") > 0
    assert total(samples, "ml_cold_start_seconds") > 0
    assert total(samples, "ml_queue_limit_tokens") == 131072
    assert total(samples, "ml_active_precision", precision="int8") == 1
    assert "ml_prediction_accuracy_score" not in samples  # a zero there would page someone
    [build] = samples["build_info"]
    assert dict(build).keys() == {"version", "compiler", "onnxruntime"} and dict(build)["onnxruntime"].count(".") == 2
    assert "process_resident_memory_bytes" in samples
    for status in ("200", "422", "429", "503"):
        key = frozenset({"route": "/api/v1/predict", "method": "POST", "status": status}.items())
        assert samples["http_requests_total"][key] == 0


def test_metrics_count_what_was_answered():
    with support.Server() as fresh:
        assert fresh.post("/api/v1/predict", {"text": "I love this"}).status == 200
        assert fresh.post("/api/v1/predict/batch", {"texts": ["bad", "good", "so so"]}).status == 200
        assert fresh.post("/api/v1/predict", {"text": " "}).status == 422
        assert fresh.get("/nowhere/at/all").status == 404
        samples = parse_metrics(fresh.get("/metrics").body.decode())
    assert total(samples, "ml_predictions_total") == 4
    assert total(samples, "ml_predictions_total", label="POSITIVE") >= 2
    assert total(samples, "ml_prediction_confidence_count") == 4
    assert total(samples, "ml_tokens_total") == 5 + 3 + 3 + 4
    assert total(samples, "ml_inference_duration_seconds_count", backend="onnx") >= 2
    assert total(samples, "http_requests_total", route="/api/v1/predict", status="200") == 1
    assert total(samples, "http_requests_total", route="/api/v1/predict", status="422") == 1
    assert total(samples, "http_requests_total", route="unmatched", status="404") == 1
    assert not any("nowhere" in str(key) for series in samples.values() for key in series)


def test_feedback_becomes_the_accuracy_score():
    with support.Server() as fresh:
        ids = [fresh.post("/api/v1/predict", {"text": t}).json()["prediction_id"] for t in ("I love this", "I hate this")]
        answer = fresh.post("/api/v1/feedback", {"prediction_id": ids[0], "corrected_label": "POSITIVE"})
        assert answer.status == 201, answer.body
        again = fresh.post("/api/v1/feedback", {"prediction_id": ids[0], "corrected_label": "POSITIVE"})
        assert again.status == 200
        assert fresh.post("/api/v1/feedback", {"prediction_id": ids[1], "corrected_label": "POSITIVE"}).status == 201
        samples = parse_metrics(fresh.get("/metrics").body.decode())
    assert total(samples, "ml_prediction_accuracy_score", backend="onnx") == 0.5
