"""`predict` over files, and the other commands, as a user types them."""

import csv
import gzip
import io
import json
import lzma
import os
import pty
import select
import shutil
import subprocess
import time

import pytest

import support


def predict(*arguments, **options):
    return support.run("predict", "--model", support.MODEL, *arguments, **options)


def test_texts_on_the_command_line():
    done = predict("I love this", "I hate this")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.decode().splitlines()
    label, score, text = first.split("\t")
    assert label == "POSITIVE" and 0.5 < float(score) <= 1 and text == "I love this"
    assert second.startswith("NEGATIVE\t")


def test_json_output():
    done = predict("--json", "I love this")
    body = json.loads(done.stdout.decode().splitlines()[0])
    assert body["label"] == "POSITIVE" and set(body["scores"]) == {"NEGATIVE", "NEUTRAL", "POSITIVE"}


def test_csv_keeps_columns_and_order(tmp_path):
    source = tmp_path / "reviews.csv"
    source.write_text('id,text,stars\n1,"I love this, really",5\n2,"Two\nlines, ""awful""",1\n3,fine,3\n')
    target = tmp_path / "out.csv"
    done = predict("--input", source, "--output", target)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert list(rows[0]) == ["id", "text", "stars", "label", "score", "score_NEGATIVE", "score_NEUTRAL", "score_POSITIVE", "error"]
    assert [r["id"] for r in rows] == ["1", "2", "3"]
    assert rows[0]["label"] == "POSITIVE" and rows[1]["label"] == "NEGATIVE"
    assert rows[1]["text"] == 'Two\nlines, "awful"'
    assert sum(float(rows[0][f"score_{x}"]) for x in ("NEGATIVE", "NEUTRAL", "POSITIVE")) == pytest.approx(1, abs=1e-5)
    assert b"texts/s" in done.stderr or b"texts per second" in done.stderr


def test_bad_rows_keep_their_place_and_are_counted(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b'{"text":"I love this","id":1}\n{broken\n{"id":3}\n{"text":"\xff"}\n{"text":"  "}\n{"text":"bad","id":6}\n')
    done = predict("--input", source)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 6
    assert rows[0]["label"] == "POSITIVE" and rows[0]["id"] == 1 and rows[5]["label"] == "NEGATIVE"
    assert all(rows[i].get("error") and not rows[i].get("label") for i in (1, 2, 3, 4))
    message = done.stderr.decode()
    for line in ("2", "3", "4", "5"):
        assert f"line {line}" in message or f":{line}:" in message, message
    assert "4" in message


def test_a_clash_of_columns_gets_a_prefix(tmp_path):
    source = tmp_path / "rows.tsv"
    source.write_text("label\ttext\nold\tI love this\n")
    done = predict("--input", source)
    assert done.returncode == 0, done.stderr
    header, row = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert header[:3] == ["label", "text", "pred_label"]
    assert row[0] == "old" and row[2] == "POSITIVE"


def test_the_columns_are_listed_where_none_is_the_text(tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("review,stars\nnice,5\n")
    done = predict("--input", source)
    assert done.returncode == 2 and b"review" in done.stderr and b"stars" in done.stderr
    assert predict("--input", source, "--text-column", "review").returncode == 0


def test_no_header_and_numbered_columns(tmp_path):
    source = tmp_path / "rows.tsv"
    source.write_text("positive\tI love this\nnegative\tI hate this\n")
    done = predict("--input", source, "--no-header", "--text-column", "2")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert [r[2] for r in rows] == ["POSITIVE", "NEGATIVE"]


@pytest.mark.parametrize("opener, suffix", [(gzip.open, ".gz"), (lzma.open, ".xz")])
def test_compressed_files_are_read_through(tmp_path, opener, suffix):
    source = tmp_path / f"rows.csv{suffix}"
    with opener(source, "wt") as file:
        file.write("text\nI love this\n")
    done = predict("--input", source)
    assert done.returncode == 0 and b"POSITIVE" in done.stdout
    whole = source.read_bytes()
    source.write_bytes(whole[:-6])
    assert predict("--input", source).returncode == 3


def test_missing_files_and_wrong_usage(tmp_path):
    done = predict("--input", tmp_path / "nowhere.csv")
    assert done.returncode == 3 and b"nowhere.csv" in done.stderr
    assert predict("--no-such-option").returncode == 2
    assert predict("--format", "xml", "x").returncode == 2
    assert support.run().returncode == 2
    assert support.run("fly").returncode == 2


def test_output_appears_only_when_whole(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("before")
    source = tmp_path / "rows.csv"
    source.write_text("review,stars\nnice,5\n")
    assert predict("--input", source, "--output", target).returncode == 2
    assert target.read_text() == "before" and sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "rows.csv"]


def test_memory_is_constant_on_a_large_file(tmp_path):
    source = tmp_path / "large.csv"
    with open(source, "w") as file:
        file.write("id,text,padding\n")
        for i in range(4000):
            file.write(f"{i},ok,{'x' * 25000}\n")  # 100 MB, of which little is text to score
    command = [support.BINARY, "predict", "--model", support.MODEL, "--input", str(source), "--output", str(tmp_path / "out.csv")]
    pid = os.posix_spawn(support.BINARY, command, support.ENVIRONMENT)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    print(f"peak memory {usage.ru_maxrss / 1024:.0f} MB")
    assert usage.ru_maxrss < 400 * 1024
    with open(tmp_path / "out.csv") as file:
        assert [line.split(",", 1)[0] for line in file][1:] == [str(i) for i in range(4000)]


def test_a_progress_bar_appears_on_a_terminal_only(tmp_path):
    source = tmp_path / "rows.txt"
    source.write_text("a longer sentence that takes a moment to be scored, and then some more of it\n" * 9000)
    arguments = ["predict", "--model", support.MODEL, "--input", str(source), "--output", str(tmp_path / "out.txt")]
    quiet = support.run(*arguments)
    assert b"\r" not in quiet.stderr
    main, child = pty.openpty()
    process = subprocess.Popen([support.BINARY, *arguments], stderr=child, stdout=subprocess.DEVNULL, env=support.ENVIRONMENT)
    os.close(child)
    shown = b""
    while True:
        select.select([main], [], [], 60)
        try:
            chunk = os.read(main, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(main)
    assert process.wait(60) == 0
    assert b"%" in shown and b"\r" in shown


def test_a_reader_that_leaves_ends_predict_quietly(tmp_path):
    source = tmp_path / "rows.txt"
    source.write_text("good\n" * 20000)
    process = subprocess.Popen([support.BINARY, "predict", "--model", support.MODEL, "--input", str(source)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.ENVIRONMENT)
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
    assert process.returncode != 0
    assert b"terminate" not in process.stderr.read()
    process.stderr.close()


def test_convert_makes_the_same_bytes_twice_and_a_package_that_works(tmp_path):
    checkpoint = support.SOURCE / "models/default"
    for name in ("one", "two"):
        began = time.monotonic()
        done = support.run("convert", checkpoint, "--output", tmp_path / name, "--portable")
        assert done.returncode == 0, done.stderr
        print(f"convert took {time.monotonic() - began:.2f} s")
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert {"manifest.json", "tokenizer.json", "tokenizer.bin", "fp32.onnx", "int8.onnx", "int8.bin", "portable.onnx",
            "portable_int8.onnx", "portable_int8.bin", "model.safetensors"} <= set(names)
    for name in names:
        if name != "validation.json":
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    again = support.run("convert", checkpoint, "--output", tmp_path / "one")
    assert again.returncode != 0 and b"--overwrite" in again.stderr
    assert support.run("convert", checkpoint, "--output", tmp_path / "one", "--overwrite").returncode == 0
    done = support.run("predict", "--model", tmp_path / "one", "I love this")
    assert done.stdout.startswith(b"POSITIVE")


@pytest.mark.parametrize("damage, words", [
    (lambda d: (d / "tokenizer.json").unlink(), ["tokenizer.json"]),
    (lambda d: (d / "config.json").unlink(), ["config.json"]),
    (lambda d: (d / "model.safetensors").write_bytes((d / "model.safetensors").read_bytes()[:-100]), ["model.safetensors"]),
    (lambda d: (d / "config.json").write_text((d / "config.json").read_text().replace('"hidden_size": 384', '"hidden_size": 768')), ["shape"]),
    (lambda d: (d / "config.json").write_text((d / "config.json").read_text().replace("30522", "30521")), ["30521"]),
])
def test_convert_refuses_and_writes_nothing(tmp_path, damage, words):
    checkpoint = shutil.copytree(support.SOURCE / "models/default", tmp_path / "checkpoint")
    damage(checkpoint)
    done = support.run("convert", checkpoint, "--output", tmp_path / "out")
    assert done.returncode in (1, 3)
    for word in words:
        assert word in done.stderr.decode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint"]


def test_inspect_and_version():
    done = support.run("inspect", support.MODEL, "--verify", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == ["NEGATIVE", "NEUTRAL", "POSITIVE"]
    assert b"NEGATIVE" in support.run("inspect", support.MODEL).stdout
    version = json.loads(support.run("version", "--json").stdout)
    assert version["isas"]["scalar"] == "executed" and version["isas"][version["isa"]] == "executed"
    assert set(version["isas"].values()) <= {"executed", "emulated", "absent"}


def test_tokenize_shows_tokens_and_offsets():
    done = support.run("tokenize", "--model", support.MODEL, "--json", "I love unaffableness")
    body = json.loads(done.stdout.decode().splitlines()[0])
    text = json.dumps(body)
    assert "##" in text and "101" in text and "102" in text
