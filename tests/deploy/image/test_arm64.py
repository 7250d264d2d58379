"""The image for arm64: beside x86-64's in one index, and answering the same to the bit, on an emulated CPU."""

import json
import pathlib
import shutil

import pytest

import podman as containers
from deploy_page import quoted
from archive import FOLDER, HAS_ARM64, NO_ARM64, SOURCE, Archive, oci_archive
from podman import support

QEMU = SOURCE / "build/deps/qemu/qemu-aarch64-static"
PREDICT = "/api/v1/predict"
TEXTS = ["I love this", "Das ist furchtbar.", "It arrived on Tuesday; nothing to say about it.", "not bad at all 🙂 " * 12]

pytestmark = pytest.mark.skipif(not HAS_ARM64, reason=NO_ARM64)

# ONNX Runtime reads which CPU it has out of this file, and emulation shows the machine's own.
CPUINFO = """processor\t: 0
BogoMIPS\t: 100.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd07
CPU revision\t: 0
"""


# --- The index ---

def test_the_index_holds_both_as_they_are():
    archive = oci_archive("index")
    assert archive.digest == (FOLDER / "index.digest").read_text().strip()
    index = archive.document(archive.digest)
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    digests = {}
    for entry in index["manifests"]:
        assert len(archive.blob(entry["digest"])) == entry["size"]
        config = archive.document(archive.document(entry["digest"])["config"]["digest"])
        assert entry["platform"] == {"os": config["os"], "architecture": config["architecture"]}
        digests[config["os"], config["architecture"]] = entry["digest"]
    assert digests == {("linux", architecture): (FOLDER / f"{name}.digest").read_text().strip()
                       for architecture, name in (("amd64", "runtime"), ("arm64", "runtime-arm64"))}


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    if why := containers.missing():
        pytest.skip(why)
    instance = containers.Podman(tmp_path_factory.mktemp("podman"))  # which takes no long paths
    yield instance
    instance("rmi", "--all", "--force", check=False)


def test_a_machine_takes_its_own_out_of_the_index(podman):
    assert podman.load("index") == podman.load("runtime")


@pytest.mark.skipif(pathlib.Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists(), reason="this kernel emulates arm64")
def test_the_other_ones_container_says_that_it_cannot_run(podman):
    done = podman.run(podman.load("runtime-arm64"), "version", check=False)
    assert done.returncode != 0
    assert quoted("exec format error") in done.stderr


def test_both_serve_the_same_package():
    archives = [Archive(name).files() for name in ("runtime", "runtime-arm64")]
    package = [{path: content for path, content in files.items() if "/models/default/" in path} for files in archives]
    assert package[0] == package[1] and any(path.endswith("int8.bin") for path in package[0])


# --- Emulated ---

class Emulated(support.Server):
    """The program of an unpacked image on an emulated CPU, dozens of times slower than a real one."""

    def __init__(self, root: pathlib.Path):
        self.program = [QEMU, "-L", root, root / "usr/bin/kubesentiment"]
        self.port = support.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start([*self.program, "serve", "--listen", f"127.0.0.1:{self.port}", "--stall-timeout", "10m",
                    "--default-deadline", "5m"], env=support.ENVIRONMENT)

    def wait_ready(self, seconds=300.0):
        super().wait_ready(seconds)

    def events(self):
        return {line["message"]: line for line in map(json.loads, self.log.splitlines())}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    if not QEMU.exists():
        pytest.skip("build/deps/qemu is missing (scripts/setup image)")
    folder = tmp_path_factory.mktemp("arm64") / "root"
    Archive("runtime-arm64").unpack(folder)
    (folder / "proc").mkdir()
    (folder / "proc/cpuinfo").write_text(CPUINFO)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def emulated(root):
    with Emulated(root) as server:
        yield server


def test_the_program_says_what_it_is(root):
    done = support.run("-L", root, root / "usr/bin/kubesentiment", "version", "--json", program=QEMU, timeout=300)
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)
    assert version["isa"] == "scalar" and version["onnxruntime"]


def test_the_log_names_the_scalar_kernels(emulated):
    assert emulated.events()["threads"]["isa"] == "scalar"
    assert emulated.events()["ready"]["precision"] == "int8"


def test_it_answers_as_x86_64_does_to_the_bit(emulated):
    with support.Server(model=SOURCE / "build/release/share/kubesentiment/models/default") as server:
        expected = [server.post(PREDICT, {"text": text}).json() for text in TEXTS]
    answers = [emulated.post(PREDICT, {"text": text}, timeout=300).json() for text in TEXTS]
    # Both are the shortest digits that give the same float back.
    scores = [[(answer["label"], answer["score"], answer["scores"]) for answer in side] for side in (answers, expected)]
    assert scores[0] == scores[1]
    assert expected[0]["label"] == "POSITIVE"


def test_its_health_command_asks_it(root, emulated):
    url = emulated.url + "/health/ready"
    done = support.run("-L", root, root / "usr/bin/kubesentiment", "health", "--url", url, "--timeout", "60s", program=QEMU, timeout=300)
    assert (done.returncode, done.stdout) == (0, f"{url}: status 200\n".encode()), done.stderr


def test_sigterm_drains(root):
    with Emulated(root) as server:
        server.process.terminate()
        assert server.process.wait(120) == 0
        assert server.events()["stopped"]["all_answered"] is True
