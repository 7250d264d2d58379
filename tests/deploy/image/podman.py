"""Containers as a cluster runs them, by podman and runc in a storage of their own: no capabilities, no new privileges, a
read-only root without even a /tmp, the seccomp profile of the distribution. The network is the host's, for its loopback."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid

from archive import FOLDER, SOURCE

sys.path[:0] = [str(SOURCE / "tests/integration"), str(SOURCE / "tests/deploy")]

import support  # noqa: E402

# What limits of descriptors and processes this machine has may be more than it lets a container have.
HARDENED = ["--network=host", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
            "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]


def missing():
    """Why no container can be run here, or None."""
    if os.geteuid() != 0:
        return "only root can run containers with limits"
    absent = [tool for tool in ("podman", "runc") if shutil.which(tool) is None]
    return f"{absent[0]} is missing: scripts/setup image" if absent else None


class Podman:
    def __init__(self, folder: pathlib.Path):
        self._folder = folder  # conmon leaves a file where it was started when a container runs out of memory
        self._base = ["podman", "--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--tmpdir", str(folder / "tmp"),
                      "--storage-driver=vfs",
                      "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none"]

    def __call__(self, *arguments, check=True, timeout=300):
        done = subprocess.run([*self._base, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, cwd=self._folder)
        assert not check or done.returncode == 0, f"podman {arguments[0]}: {done.stderr}"
        return done

    def load(self, target):
        """The image of an OCI archive, by its id."""
        return self("pull", "--quiet", f"oci-archive:{FOLDER / target}.oci.tar").stdout.split()[-1]

    def run(self, image, *arguments, options=(), **more):
        """One command of the program, to its end."""
        return self("run", "--rm", *HARDENED, *options, image, *arguments, **more)


class Container(support.Server):
    """`serve` in a container, seen from outside as any other server; use as a context manager."""

    def __init__(self, podman, image, *arguments, options=()):
        self.podman, self.name = podman, f"ks-{uuid.uuid4().hex[:12]}"
        self.port = support.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        podman("create", "--name", self.name, "--log-driver=k8s-file", *HARDENED, *options, image, "serve",
               "--listen", f"127.0.0.1:{self.port}", *arguments)

    def __enter__(self):
        self.forget_pages()
        self.podman("start", self.name)
        self.wait_ready()
        return self

    def forget_pages(self):
        """Drops the container's files from the page cache: whoever reads a page first is charged for it, and that is to be
        the container, as on a node that has just unpacked the image."""
        root = pathlib.Path(self.podman("mount", self.name).stdout.strip())
        files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        assert root / "usr/bin/kubesentiment" in files, f"{root} is not the container's root"
        for path in files:
            with open(path, "rb") as file:
                os.fdatasync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self.podman("unmount", self.name)

    def __exit__(self, *_):
        self.podman("rm", "--force", "--time=0", self.name, check=False)

    def wait_ready(self, seconds=60.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.get("/health/ready").status == 200:
                    return
            assert self.state["Running"], f"the container ended with {self.state['ExitCode']}: {self.log}"
            time.sleep(0.02)
        raise AssertionError(f"not ready in time: {self.log}")

    @property
    def state(self):
        return json.loads(self.podman("inspect", self.name).stdout)[0]["State"]

    @property
    def pid(self):
        return self.state["Pid"]

    @property
    def log(self):
        return self.podman("logs", self.name).stderr

    def events(self):
        """The log's lines as objects, by their message; of several the last."""
        return {line["message"]: line for line in map(json.loads, self.log.splitlines())}

    def signal(self, number=signal.SIGTERM):
        self.podman("kill", f"--signal={number.value}", self.name)

    def wait(self, seconds=60):
        """The exit code, once it has ended."""
        return int(self.podman("wait", self.name, timeout=seconds).stdout)

    def process_status(self):
        """What the kernel says of its process, by the names of /proc/PID/status."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def cgroup(self, controller, *names):
        """The first of these files that its control group has: of version 1 in the controller's tree, or of version 2."""
        for line in pathlib.Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller not in controllers.split(",") and controllers:
                continue
            roots = [f"/sys/fs/cgroup/{controller}"] if controllers else ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            for root in roots:
                # Seen from inside another container the tree begins further down.
                for tail in (path, re.sub(r"^.*(/libpod_parent/)", r"\1", path)):
                    for name in names:
                        with contextlib.suppress(OSError):
                            return pathlib.Path(root + tail, name).read_text().strip()
        raise AssertionError(f"no {' or '.join(names)} for process {self.pid}")
