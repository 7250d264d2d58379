"""What the server does with bytes on a socket, right ones and wrong ones."""

import json
import time
import uuid

import pytest

import support

PREDICT = "/api/v1/predict"


def head(method, path, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *lines, "", ""]).encode()


def predict_bytes(body: bytes, *lines):
    return head("POST", PREDICT, "Content-Type: application/json", f"Content-Length: {len(body)}", *lines) + body


def check_error(answer, status, code, *words):
    """The one error shape: every field, the right code, and the words in its message."""
    assert answer.status == status, answer.body
    error = answer.json()
    assert set(error) >= {"error_code", "error_message", "status_code", "correlation_id", "timestamp"}
    assert error["error_code"] == code and error["status_code"] == status
    for word in words:
        assert word in error["error_message"] + str(error.get("detail")), error
    return error


def test_predict_answers_with_every_field(server):
    answer = server.post(PREDICT, {"text": "I love this"})
    assert answer.status == 200
    body = answer.json()
    assert body["label"] == "POSITIVE" and body["backend"] == "onnx" and body["truncated"] is False
    assert body["score"] == max(body["scores"].values())
    assert list(body["scores"]) and set(body["scores"]) == {"NEGATIVE", "NEUTRAL", "POSITIVE"}
    assert sum(body["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert body["text_length"] == 11 and body["tokens"] == 5
    assert uuid.UUID(body["prediction_id"]).version == 4
    assert body["inference_time_ms"] > 0
    assert answer.headers["X-Model-Backend"] == "onnx"
    assert float(answer.headers["X-Inference-Time-MS"]) > 0
    assert "tokenize;dur=" in answer.headers["Server-Timing"] and "infer;dur=" in answer.headers["Server-Timing"]


def test_batch_keeps_the_order(server):
    texts = ["I love this", "I hate this", "I love this a lot", "awful, just awful"]
    body = server.post(PREDICT + "/batch", {"texts": texts}).json()
    assert body["total"] == 4
    assert [r["label"] for r in body["results"]] == ["POSITIVE", "NEGATIVE", "POSITIVE", "NEGATIVE"]
    for text, result in zip(texts, body["results"]):
        alone = server.post(PREDICT, {"text": text}).json()
        assert alone["scores"] == pytest.approx(result["scores"], abs=1e-5)


def test_routes_answer_without_the_prefix_too(server):
    assert server.post("/predict", {"text": "good"}).json()["label"] == "POSITIVE"
    for path in ("/health", "/health/live", "/health/ready", "/ready", "/api/v1/health/ready", "/api/v1/ready"):
        assert server.get(path).status == 200, path


def test_long_text_is_truncated_and_says_so_or_read_in_windows(server):
    text = "good " * 900 + "awful terrible " * 400
    cut = server.post(PREDICT, {"text": text[:10000]}).json()
    assert cut["truncated"] is True and cut["tokens"] == 256 and cut["label"] == "POSITIVE"
    whole = server.post(PREDICT, {"text": text[:10000], "long_text": "windows"}).json()
    assert whole["truncated"] is False and whole["tokens"] > 1000
    assert whole["scores"]["NEGATIVE"] > cut["scores"]["NEGATIVE"]


def test_top_k_and_pairs(server):
    body = server.post(PREDICT, {"text": "good", "text_pair": "and bad", "top_k": 2}).json()
    assert len(body["scores"]) == 2 and body["tokens"] == 6
    check_error(server.post(PREDICT, {"text": "a", "text_pair": "b", "long_text": "windows"}), 422, "E1001")
    check_error(server.post(PREDICT, {"text": "a", "top_k": 4}), 422, "E1001", "top_k")


@pytest.mark.parametrize("body, status, code, word", [
    (b"", 400, "E1001", ""),
    (b"not json", 400, "E1001", "JSON"),
    (b"[" * 1_000_000, 400, "E1001", ""),
    (b'{"text":"\xff"}', 400, "E1001", "UTF-8"),
    (b'{"text":"\\ud800"}', 400, "E1001", "surrogate"),
    (b'{"text":"a","text":"b"}', 422, "E1001", "text"),
    (b'{"text":12}', 422, "E1001", "text"),
    (b'{"text":null}', 422, "E1001", "text"),
    (b'{"text":"a\\u0000b"}', 422, "E1001", "NUL"),
    (b'{}', 422, "E1001", "text"),
    (b'[]', 422, "E1001", ""),
    (b'{"text":""}', 422, "E1003", "text"),
    (b'{"text":" \\n\\t"}', 422, "E1003", "text"),
    (json.dumps({"text": "x" * 10001}).encode(), 422, "E1002", "10001"),
    (b'{"inputs":"a"}', 422, "E1001", "inputs"),
    (b'{"text":"a","long_text":"middle"}', 422, "E1001", "long_text"),
    (b'{"text":"a","top_k":0}', 422, "E1001", "top_k"),
])
def test_bad_predict_bodies(server, body, status, code, word):
    error = check_error(server.post(PREDICT, body), status, code, word)
    assert "xxxx" not in json.dumps(error)  # no text comes back


@pytest.mark.parametrize("value, status, code, word", [
    ({"texts": []}, 422, "E1006", "texts"),
    ({"texts": ["a"] * 1001}, 422, "E1005", "1001"),
    ({"texts": "a"}, 422, "E1001", "texts"),
    ({"texts": ["a", "b", "c", 4]}, 422, "E1001", "texts[3]"),
    ({"texts": ["a", " "]}, 422, "E1003", "texts[1]"),
    ({"texts": ["a", "x" * 10001]}, 422, "E1002", "texts[1]"),
    ({"texts": ["a", "b"], "text_pairs": ["c"]}, 422, "E1001", "text_pairs"),
    ({"texts": [("word " * 1900).strip()] * 1000, "long_text": "windows"}, 413, "E4010", "max-body-bytes"),
    ({"texts": ["word " * 300] * 300}, 422, "E1005", "max-batch-tokens"),
])
def test_bad_batch_bodies(server, value, status, code, word):
    check_error(server.post(PREDICT + "/batch", value), status, code, word)


def test_ten_thousand_characters_are_taken(server):
    assert server.post(PREDICT, {"text": "\U0001f600" * 10000}).status == 200
    check_error(server.post(PREDICT, {"text": "\U0001f600" * 10001}), 422, "E1002", "10001")


def test_unknown_routes_methods_media_types_and_backends(server):
    check_error(server.get("/api/v1/nothing"), 404, "E4004")
    answer = server.get(PREDICT)
    check_error(answer, 405, "E4006")
    assert answer.headers["Allow"] == "POST"
    assert "GET" in server.post("/metrics", {}).headers["Allow"]
    check_error(server.request("POST", PREDICT, b'{"text":"a"}', {"Content-Type": "text/plain"}), 415, "E4011", "text/plain")
    check_error(server.request("POST", PREDICT, b"x", {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
                415, "E4011", "Content-Encoding")
    check_error(server.post(PREDICT + "?backend=pytorch", {"text": "a"}), 400, "E2010", "onnx")
    check_error(server.post(PREDICT + "?backend=nonsense", {"text": "a"}), 400, "E2010", "onnx")
    ok = server.request("POST", PREDICT, b'{"text":"a"}', {"Content-Type": "application/json; charset=utf-8"})
    assert ok.status == 200


def test_correlation_ids(server):
    assert server.post(PREDICT, {"text": "a"}, {"X-Correlation-ID": "abc-123"}).headers["X-Correlation-ID"] == "abc-123"
    for bad in ("x" * 129, "a\tb"):
        made = server.post(PREDICT, {"text": "a"}, {"X-Correlation-ID": bad}).headers["X-Correlation-ID"]
        assert uuid.UUID(made).version == 4
    error = server.post(PREDICT, {"text": ""}, {"X-Correlation-ID": "mine"}).json()
    assert error["correlation_id"] == "mine"


def test_deadline_that_cannot_be_met(server):
    check_error(server.post(PREDICT, {"text": "a"}, {"X-Request-Timeout-Ms": "0"}), 504, "E2003")
    check_error(server.post(PREDICT, {"text": "a"}, {"X-Request-Timeout-Ms": "soon"}), 422, "E1001", "X-Request-Timeout-Ms")
    assert server.post(PREDICT, {"text": "a"}, {"X-Request-Timeout-Ms": "5000"}).status == 200


def test_pipelined_requests_are_answered_in_order(server):
    bodies = [json.dumps({"text": "x" * n}).encode() for n in range(1, 21)]
    with server.connect() as s:
        s.sendall(b"".join(predict_bytes(b) for b in bodies))
        stream = s.makefile("rb")
        assert [support.read_response(stream).json()["text_length"] for _ in bodies] == list(range(1, 21))


def test_a_body_in_chunks_is_read(server):
    raw = head("POST", PREDICT, "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close")
    answer = server.raw(raw + b'8\r\n{"text":\r\n6\r\n"good"\r\n1\r\n}\r\n0\r\n\r\n')
    assert answer.startswith(b"HTTP/1.1 200") and b"POSITIVE" in answer


def test_expect_100_continue(server):
    body = b'{"text":"good"}'
    with server.connect() as s:
        s.sendall(predict_bytes(body, "Expect: 100-continue", "Connection: close")[:-len(body)])
        assert s.recv(1024).startswith(b"HTTP/1.1 100")
        s.sendall(body)
        assert b"POSITIVE" in support.read_to_end(s)


def test_a_gigabyte_announced_is_refused_at_once(server):
    began = time.monotonic()
    answer = server.raw(head("POST", PREDICT, "Content-Type: application/json", f"Content-Length: {1 << 30}"))
    assert answer.startswith(b"HTTP/1.1 413") and b"E4010" in answer and b"8388608" in answer
    assert time.monotonic() - began < 5


def test_headers_that_are_too_large(server):
    answer = server.raw(head("GET", "/health", "X-Long: " + "x" * 40000))
    assert answer.startswith(b"HTTP/1.1 431") and b"E4012" in answer


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 100, b"POST / HTTP/9.9\r\n\r\n"])
def test_bytes_that_are_no_http(server, data):
    answer = server.raw(data + b"\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400") or answer.startswith(b"HTTP/1.1 505")
    assert server.get("/health/live").status == 200


def test_slow_clients_are_timed_out_and_cost_nobody_else():
    with support.Server("--header-timeout", "300ms", "--body-timeout", "300ms") as fast:
        with fast.connect() as slow_head, fast.connect() as slow_body, fast.connect() as silent:
            slow_head.sendall(b"POST /api/v1/predict HTTP/1.1\r\nHost: t\r\n")
            slow_body.sendall(predict_bytes(b'{"text":"good"}')[:-5])
            assert fast.post(PREDICT, {"text": "good"}).status == 200
            for s in (slow_head, slow_body):
                answer = support.read_to_end(s)
                assert answer.startswith(b"HTTP/1.1 408") and b"E4008" in answer
            silent.close()


def test_an_idle_connection_is_closed():
    with support.Server("--idle-timeout", "300ms") as quick:
        with quick.connect() as s:
            s.sendall(predict_bytes(b'{"text":"good"}'))
            assert b"POSITIVE" in support.read_to_end(s)  # ends by itself


def test_a_client_that_leaves_costs_nobody_else(server):
    for _ in range(20):
        with server.connect() as s:
            s.sendall(predict_bytes(json.dumps({"text": "good " * 1500}).encode()))
    assert server.post(PREDICT, {"text": "good"}).status == 200


def test_api_key(tmp_path):
    key = tmp_path / "key"
    key.write_text("s3cret-key\n")
    with support.Server("--api-key-file", str(key)) as locked:
        check_error(locked.post(PREDICT, {"text": "a"}), 401, "E3002")
        check_error(locked.post(PREDICT, {"text": "a"}, {"X-API-Key": "wrong"}), 401, "E3002")
        assert locked.post(PREDICT, {"text": "a"}, {"X-API-Key": "s3cret-key"}).status == 200
        assert locked.post("/", {"inputs": "a"}, {"Authorization": "Bearer s3cret-key"}).status == 200
        assert locked.post("/", {"inputs": "a"}, {"Authorization": "Bearer other"}).status == 401
        for path in ("/health", "/health/live", "/health/ready", "/ready", "/metrics"):
            assert locked.get(path).status == 200, path
    assert "s3cret-key" not in locked.log
    with support.Server("--api-key-file", str(key), "--protect-metrics") as closed:
        assert closed.get("/metrics").status == 401
        assert closed.get("/metrics", headers={"X-API-Key": "s3cret-key"}).status == 200


def test_model_info(server):
    info = server.get("/api/v1/model-info").json()
    assert info["labels"] == ["NEGATIVE", "NEUTRAL", "POSITIVE"]
    assert info["backend"] == "onnx" and info["precision"] == "int8" and info["window"] == 256
    assert info["activation"] == "softmax"
    assert info["temperature"] == json.loads((support.SOURCE / "models/default/temperature.json").read_text())["temperature"]
    assert info["int8"] == {"calibrated": True, "fp32_layers": []} and info["gate"] == "passed"
    assert "validation" in info


def test_feedback_rules(server):
    unknown = str(uuid.uuid4())
    check_error(server.post("/api/v1/feedback", {"prediction_id": unknown, "corrected_label": "POSITIVE"}), 404, "E1007")
    check_error(server.post("/api/v1/feedback", {"prediction_id": "x", "corrected_label": "POSITIVE"}), 422, "E1001", "prediction_id")
    check_error(server.post("/api/v1/feedback", {"prediction_id": unknown, "corrected_label": "SAD"}), 422, "E1001", "corrected_label")
    partial = {"prediction_id": unknown, "corrected_label": "POSITIVE", "predicted_label": "NEGATIVE"}
    check_error(server.post("/api/v1/feedback", partial), 422, "E1001")
    name = server.get("/api/v1/model-info").json()["name"]
    whole = partial | {"model": name, "backend": "onnx"}
    assert server.post("/api/v1/feedback", whole).status == 201
    assert server.post("/api/v1/feedback", whole).status == 200
    check_error(server.post("/api/v1/feedback", whole | {"prediction_id": str(uuid.uuid4()), "model": "other"}), 422, "E1001", "model")


def test_the_access_log_is_json_without_texts():
    with support.Server() as logged:
        logged.post(PREDICT, {"text": "a very private opinion"}, {"X-Correlation-ID": "look-for-me", "X-API-Key": "hush"})
    lines = [json.loads(line) for line in logged.log.splitlines() if line.startswith("{")]
    assert len(lines) == len(logged.log.splitlines())
    access = [line for line in lines if "look-for-me" in json.dumps(line)]
    assert len(access) == 1 and "200" in json.dumps(access[0]) and PREDICT in json.dumps(access[0])
    assert "private" not in logged.log and "hush" not in logged.log
