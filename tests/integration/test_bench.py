"""`bench` on the default package: what it prints and writes, and what it refuses. Not how fast anything is."""

import json

import pytest

from support import MODEL, run

TIMES = {"count", "min_ms", "p50_ms", "p90_ms", "p99_ms", "max_ms"}


def test_all_scenarios_are_reported(tmp_path):
    path = tmp_path / "report.json"
    done = run("bench", MODEL, "--seconds", 0.1, "--report", path)
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text())
    assert (report["precision"], report["backend"]) == ("int8", "onnx")
    assert [(row["sequences"], row["tokens"]) for row in report["latency"]] == [(1, 16), (1, 64), (1, 128), (1, 256), (8, 128)]
    assert [row["callers"] for row in report["throughput"]] == [1, 2, 8, 64]
    assert all(row["p50_ms"] > 0 and row["count"] >= 20 for row in report["latency"])
    assert report["latency"][0]["p50_ms"] < report["latency"][3]["p50_ms"]
    cold = report["coldstart"]
    assert TIMES < set(cold) and cold["count"] == cold["floor"]["count"] == 30
    assert cold["min_ms"] > cold["floor"]["min_ms"] / 2 > 0.5
    steps = cold["median_start_ms"]
    assert list(steps) == ["exec", "arguments", "config", "threads", "package", "tokenizer", "environment", "session",
                           "self-check", "engine", "listen", "answer"]
    assert all(milliseconds >= 0 for milliseconds in steps.values())
    assert sum(steps.values()) == pytest.approx(cold["p50_ms"], abs=0.02)
    assert cold["floors"] == pytest.approx(cold["p50_ms"] / cold["floor"]["p50_ms"], rel=0.01)
    memory = report["memory"]
    assert memory["after_first_answer"]["resident_bytes"] > memory["after_first_answer"]["anonymous_bytes"] > 1e6
    text = done.stdout.decode()
    for line in ("8 x 128 tokens", "exec to first answer", "ONNX Runtime alone", "\nself-check ", "at most 30 and 40: ",
                 "x ONNX Runtime alone, at most 1.4: ", "after the first answer"):
        assert line in text
    assert done.stderr == b""  # no terminal, no progress


def test_one_scenario_alone_as_json():
    done = run("bench", MODEL, "--scenario", "latency", "--precision", "fp32", "--shapes", "2x8,1x16", "--seconds", 0.05, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["precision"] == "fp32"
    assert [(row["sequences"], row["tokens"]) for row in report["latency"]] == [(2, 8), (1, 16)]
    assert not {"throughput", "coldstart", "memory"} & set(report)


def test_a_run_may_take_several_cores():
    done = run("bench", MODEL, "--scenario", "latency", "--shapes", "1x64", "--run-threads", 2, "--seconds", 0.05, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["threads_per_run"] == 2


def test_refusals_name_what_is_wrong(tmp_path):
    done = run("bench", tmp_path)
    assert done.returncode == 3 and b"manifest.json" in done.stderr
    done = run("bench", MODEL, "--scenario", "speed")
    assert done.returncode == 2 and b"speed" in done.stderr
    done = run("bench", MODEL, "--shapes", "1x16,128")
    assert done.returncode == 2 and b'"128"' in done.stderr
    done = run("bench", MODEL, "--shapes", "1x257")
    assert done.returncode == 2 and b"1x257" in done.stderr
    done = run("bench", MODEL, "--scenario", "latency", "--shapes", "1x8", "--seconds", 0.05, "--report", tmp_path / "no" / "report.json")
    assert done.returncode == 1 and b"report.json" in done.stderr
