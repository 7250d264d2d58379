"""Packages that are wrong and say nothing of it: changed, then signed again, so that hashes and self-checks hold and only a
gate can see what was done."""

import hashlib
import json
import pathlib
import shutil

import numpy

import support

DTYPES = {"F32": numpy.float32, "F16": numpy.float16, "I32": numpy.int32, "U8": numpy.uint8, "I8": numpy.int8}


def swap_labels(source, target) -> pathlib.Path:
    """Two labels exchanged. Neither files nor logits change, so nothing else has to."""
    def change(manifest):
        labels = manifest["model"]["labels"]
        labels[0], labels[-1] = labels[-1], labels[0]
    copy(source, target)
    edit_manifest(target, change)
    return target


def change_int8(source, target, change) -> pathlib.Path:
    """`change` gets {name: array} of int8.bin and edits the arrays in place."""
    copy(source, target)
    content = bytearray((target / "int8.bin").read_bytes())
    change(tensors(content))
    (target / "int8.bin").write_bytes(content)
    sign(target)
    return target


def tensors(content: bytearray):
    """Writable views into a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + length])
    views = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + x for x in tensor["data_offsets"])
        views[name] = numpy.frombuffer(memoryview(content)[begin:end], DTYPES[tensor["dtype"]])
    return views


def copy(source, target):
    shutil.copytree(source, target)
    for file in target.iterdir():
        file.chmod(0o644)


def edit_manifest(package, change):
    path = package / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def sign(package):
    """Hashes from the files as they are, INT8 self-checks from what the package says now."""
    checks = []

    def without_checks(manifest):
        checks.extend(manifest["self_checks"])
        manifest["self_checks"] = []
        for file in manifest["files"]:
            content = (package / file["name"]).read_bytes()
            file.update(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    edit_manifest(package, without_checks)
    with support.Server("--precision", "int8", "--threads", "1", model=package) as server:
        body = {"inputs": [check["text"] for check in checks], "parameters": {"function_to_apply": "none"}}
        answers = server.post("/", body).json()

    def with_checks(manifest):
        labels = manifest["model"]["labels"]
        for check, answer in zip(checks, answers):
            scores = {entry["label"]: entry["score"] for entry in answer}
            check["int8_logits"] = [scores[label] for label in labels]
        manifest["self_checks"] = checks

    edit_manifest(package, with_checks)
    assert support.run("inspect", package, "--verify").returncode == 0
