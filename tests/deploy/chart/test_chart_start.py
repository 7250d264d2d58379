"""docs/deploy.md: what only a pod's start can refuse, and later. The program says it, with the chart's arguments and settings."""

import pathlib
import re
import shutil
import time

import pytest

import support
from deploy_page import quoted
from helm_chart import render, server_container, settings

OWN = {"model": {"from": "persistentVolumeClaim", "persistentVolumeClaim": {"claimName": "models"}}}


class Root:
    """A folder in place of the root that the server's container sees."""

    def __init__(self, folder, values):
        self.folder = folder
        documents = render(values=values)
        self.write("etc/kubesentiment/config/config.toml", settings(documents).replace('"/etc/', f'"{folder}/etc/'))
        self.arguments = [re.sub(r"=(/etc/|/model)", rf"={folder}\1", argument).replace("0.0.0.0:8000", "127.0.0.1:0")
                          for argument in server_container(documents)["args"]]

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def refused(self):
        """(exit code, message) of the server. Sizes of files, which another model changes, are N."""
        done = support.run(*self.arguments)
        return done.returncode, re.sub(r"\d{4,} bytes", "N bytes", done.stderr.decode().replace(str(self.folder), ""))


@pytest.fixture
def package(tmp_path):
    return pathlib.Path(shutil.copytree(support.MODEL, tmp_path / "model"))


def test_a_volume_without_a_package(tmp_path):
    (tmp_path / "model").mkdir()
    code, said = Root(tmp_path, OWN).refused()
    assert code == 3 and quoted("/model: not a model package: no manifest.json, the directory is empty") in said


def test_a_damaged_package(tmp_path, package):
    (package / "int8.bin").write_bytes(b"")
    code, said = Root(tmp_path, OWN).refused()
    assert code == 3 and quoted("/model/int8.bin: expected N bytes by manifest.json, found 0") in said


def test_a_key_that_is_none(tmp_path):
    root = Root(tmp_path, {"apiKey": {"existingSecret": "kubesentiment-api-key"}})
    root.write("etc/kubesentiment/key/api-key", "two words")
    code, said = root.refused()
    message = quoted("api-key-file: /etc/kubesentiment/key/api-key: expected one line of printable characters without spaces")
    assert code == 3 and message in said


def test_settings_that_only_the_model_can_refuse(tmp_path, package):
    code, said = Root(tmp_path, OWN | {"config": {"max-batch-tokens": 5000}}).refused()
    message = quoted("max-batch-tokens (5000) is below what one text of max-text-chars (10000) may need: 30238 tokens in 119 windows")
    assert code == 2 and message in said


def test_a_package_that_is_damaged_later(package):
    file = package / "tokenizer.json"  # not read while serving, so only its hash can tell
    file.write_bytes(file.read_bytes().replace(b"a", b"b", 1))
    with support.Server(model=package) as server:
        deadline = time.monotonic() + 60
        while (answer := server.get("/health/ready")).status == 200:
            assert time.monotonic() < deadline, "the damage was never noticed"
            time.sleep(0.05)
        assert answer.status == 503 and "tokenizer.json: expected sha256" in answer.json()["error_message"]
    assert quoted("the package is damaged") in server.log
