"""Comparing the program's answers with logits that PyTorch gave (tests/golden/make_golden.py)."""

import json
import math
import pathlib

import support


def read_golden(path: pathlib.Path):
    """The header and the rows of a golden file."""
    header, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return header, rows


def temperature_of(package=support.MODEL):
    return json.loads((pathlib.Path(package) / "manifest.json").read_text(encoding="utf-8"))["temperature"]


def softmax(logits, temperature):
    top = max(logits)
    exps = [math.exp((x - top) / temperature) for x in logits]
    return [x / sum(exps) for x in exps]


def compare_predict(header, rows, *arguments):
    """`predict --precision fp32`, with more arguments, gives the same labels, and probabilities within 1e-4, 1e-5 on the mean,
    with the package's temperature on both sides."""
    stdin = "".join(json.dumps({"text": row["text"]}) + "\n" for row in rows).encode()
    done = support.run("predict", "--input", "-", "--format", "jsonl", "--precision", "fp32", "--model", support.MODEL,
                       *arguments, stdin=stdin, timeout=3600)
    assert done.returncode == 0, done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(rows)
    differences = []
    temperature = temperature_of()
    for answer, row in zip(answers, rows):
        want = softmax(row["logits"], temperature)
        assert answer["label"] == header["labels"][want.index(max(want))], row
        differences += [abs(answer["scores"][label] - p) for label, p in zip(header["labels"], want)]
    mean = sum(differences) / len(differences)
    print(f"{len(rows)} texts of {header['source']}: max |dp| {max(differences):.2e}, mean {mean:.2e}")
    assert max(differences) <= 1e-4
    assert mean <= 1e-5


def compare_logits(server, header, rows):
    """Raw scores over HTTP are the logits, within 1e-4 of the largest."""
    largest = max(abs(x) for row in rows for x in row["logits"])
    worst = 0.0
    for start in range(0, len(rows), 100):
        part = rows[start:start + 100]
        body = {"inputs": [row["text"] for row in part], "parameters": {"function_to_apply": "none"}}
        answer = server.post("/", body, timeout=120)
        assert answer.status == 200, answer.body
        for scores, row in zip(answer.json(), part):
            got = {s["label"]: s["score"] for s in scores}
            worst = max([worst, *(abs(got[label] - x) for label, x in zip(header["labels"], row["logits"]))])
    print(f"{len(rows)} texts of {header['source']}: largest difference of a logit {worst:.2e}, largest logit {largest:.2f}")
    assert worst <= 1e-4 * largest
