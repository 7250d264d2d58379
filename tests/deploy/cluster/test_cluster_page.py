"""docs/deploy.md from its first command to the answer of a real server, which takes the place of the pods that kwok plays."""

import base64
import hashlib
import io
import json
import re
import signal
import subprocess
import tarfile

import cluster
import helm_chart
import support
from deploy_page import PAGE

BLOCKS = [block.strip().splitlines() for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


def write_image(file):
    """The smallest OCI archive: what `make image` would have written here, but for the content."""
    blobs = {}

    def add(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(content)}

    def add_json(value, media_type):
        return add(json.dumps(value).encode(), media_type)

    layer = add(b"\0" * 1024, "layer.v1.tar")
    config = add_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}},
                      "config.v1+json")
    manifest = add_json({"schemaVersion": 2, "config": config, "layers": [layer]}, "manifest.v1+json")
    blobs["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()
    file.parent.mkdir(parents=True)
    with tarfile.open(file, "w") as archive:
        for name, content in blobs.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


class Shell:
    """Runs commands as somebody with the page before him, in the cluster of the test."""

    def __init__(self, kubernetes, folder):
        self.folder = folder
        path = f"{helm_chart.TOOLS}/bin:/usr/local/bin:/usr/bin:/bin"
        self.env = helm_chart.environment(folder, {"KUBECONFIG": str(kubernetes.kubeconfig), "PATH": path})

    def start(self, command):
        return subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, command):
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=self.folder, env=self.env,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result.stdout


class ServerOfThePods(support.Server):
    """The real server with the arguments, settings and key of the release's pods, where their port is forwarded to."""

    def __init__(self, kubernetes, folder):
        self.port = kubernetes.pods_port
        self.url = f"http://127.0.0.1:{self.port}"
        pod = kubernetes.items("pods", "sentiment", "-l", "app.kubernetes.io/name=kubesentiment")[0]
        settings = kubernetes.get("configmap", "kubesentiment", "sentiment")["data"]["config.toml"]
        key = kubernetes.get("secret", "kubesentiment-api-key", "sentiment")["data"]["api-key"]
        (folder / "api-key").write_bytes(base64.b64decode(key))
        (folder / "config.toml").write_text(settings.replace("/etc/kubesentiment/key/", f"{folder}/"))
        arguments = [argument.replace("/etc/kubesentiment/config/", f"{folder}/").replace("0.0.0.0:8000", f"127.0.0.1:{self.port}")
                     for argument in pod["spec"]["containers"][0]["args"]]
        self.start([support.BINARY, *arguments, "--model", support.MODEL], env=support.ENVIRONMENT)


def test_from_nothing_to_a_running_service(kubernetes, tmp_path):
    clone, make, copy, *to_cluster, test, forward, ask = BLOCKS[0]
    assert len(BLOCKS[0]) == 10
    shell = Shell(kubernetes, tmp_path)
    shell.run(clone.replace("<this repository>", f"file://{support.SOURCE}"))
    shell.folder = tmp_path / "kubesentiment"
    # Built by the tests of the image; here it is enough that there is such a target.
    assert make == "make image"
    write_image(shell.folder / "build" / "image" / "runtime.oci.tar")
    shell.run(copy.replace("docker://registry.example.com/kubesentiment:", f"oci:{tmp_path}/registry:"))
    assert (tmp_path / "registry" / "index.json").exists()
    for command in to_cluster:
        shell.run(command)
    image = kubernetes.get("deployment", "kubesentiment", "sentiment")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert copy.endswith(f" docker://{image}")
    shell.run(test)
    port, = cluster.free_ports(1)
    with ServerOfThePods(kubernetes, tmp_path):
        forwarding = shell.start(forward.removesuffix("&").replace("8000:80", f"{port}:80"))
        try:
            answer = json.loads(shell.run(ask.replace("localhost:8000", f"localhost:{port}")))
        finally:
            forwarding.send_signal(signal.SIGTERM)
            forwarding.wait(20)
    assert answer["label"] == "POSITIVE" and f'"score":{str(answer["score"])[:4]}' in PAGE
    # The rest of the page, in its order: production, a phase of the migration, and back.
    later = [command for block in BLOCKS[1:] for command in block]
    assert [command.split()[1] for command in later] == ["upgrade", "upgrade", "rollback"]
    for command in later:
        shell.run(command)
    kubernetes.kubectl("delete", "namespace", "sentiment", "--wait=false")
