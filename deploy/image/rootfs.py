#!/usr/bin/env python3
"""Lays out the root of an image from a build tree: rootfs.py runtime|full --output DIR [--beside DIR] [--architecture arm64]

The tree that `cmake --install` makes goes to usr/, stripped. What it asks the dynamic linker for comes from Debian (debian.py),
and with each library what Debian says of its package (scanners read var/lib/dpkg/status.d) and its licence. Then a user without
a name for anything, /tmp, and the SBOM (sbom.py). Nothing else: no shell, no package manager, no network configuration.

`runtime` is what serving int8 needs; `full` adds fp32, the portable graphs and the PyTorch backend with LibTorch. --beside
names a root that lies below this one in the image: files that are the same there are left out here.

Debian alone: it asks dpkg, and readelf. The tree is build/release, for another architecture than this machine's the one of
the preset with its name. $SOURCE_DATE_EPOCH is the time of all files.
"""

import argparse
import filecmp
import json
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import contents  # noqa: E402
import sbom  # noqa: E402
from debian import SOURCE, Debian, fail, output_of  # noqa: E402

DOC = "usr/share/doc"
PLUGIN = "usr/lib/libkubesentiment_torch.so"
COMPONENTS = {"runtime": ["--component", "runtime"], "full": []}
USER = 65532


# --- Shared libraries ---

def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def dynamic_section(path):
    """The libraries that an ELF file asks for, where it looks for them first, and its interpreter."""
    text = output_of("readelf", "--wide", "--dynamic", "--program-headers", path)
    runpath = re.search(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", text)
    interpreter = re.search(r"program interpreter: (\S+)\]", text)
    return (re.findall(r"\(NEEDED\).*\[(.*)\]", text), runpath[1].split(":") if runpath else [],
            interpreter[1] if interpreter else None)


class Libraries:
    """Adds what the ELF files of a root need, until nothing is missing."""

    def __init__(self, root, debian):
        self.root, self.debian = root, debian
        self.system = {}  # the file in the root: Debian's file that it was copied from
        # With the folder that $ORIGIN stands for, which of a copied file is where it came from.
        self.queue = [(path, path.parent) for path in sorted(root.rglob("*"))
                      if path.is_file() and not path.is_symlink() and is_elf(path)]

    def add_all(self):
        while self.queue:
            path, origin = self.queue.pop()
            needed, runpath, interpreter = dynamic_section(path)
            if interpreter:
                self.copy(self.debian.path(interpreter), self.root / "usr" / interpreter.lstrip("/"), self.system)
            for name in needed:
                # The interpreter is there before anything asks for it by name.
                if not name.startswith("ld-linux"):
                    self.add(name, path, [entry.replace("$ORIGIN", str(origin)) for entry in runpath])
        return self.system

    def add(self, name, needing, runpath):
        for directory in runpath:
            source = pathlib.Path(os.path.normpath(directory)) / name
            if source.exists():  # installed, or LibTorch's, which lies where the build found it
                if not source.is_relative_to(self.root):
                    self.copy(source, self.root / "usr/lib/torch" / name)
                return
        source = self.debian.library(name)
        if not source:
            fail(f"{needing.relative_to(self.root)}: {name} is neither beside it nor among Debian's libraries")
        self.copy(source, self.root / "usr/lib" / self.debian.triplet / name, self.system)

    def copy(self, source, target, record=None):
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if record is not None:
            record[target] = source
        self.queue.append((target, source.parent))


# --- Licences ---

def add_copyright(root, debian, package):
    """The package's copyright file and the licences of Debian's own collection that it refers to."""
    source = debian.documents_of(package) / "copyright"
    if not source.exists():
        fail(f"{source} is missing; a system without documentation cannot make an image (dpkg's path-exclude)")
    text = source.read_text(encoding="utf-8", errors="replace")
    target = root / DOC / package / "copyright"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    for name in re.findall(r"/usr/share/common-licenses/([A-Za-z]+(?:-[0-9]+(?:\.[0-9]+)?)?)", text):
        licence = debian.path("usr/share/common-licenses") / name
        if licence.exists():
            (root / "usr/share/common-licenses").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(licence, root / "usr/share/common-licenses" / name)


# --- The root ---

def install(build, target, root):
    command = ["cmake", "--install", build, "--prefix", root / "usr", "--strip", *COMPONENTS[target]]
    output_of(*map(str, command))


def finish_torch(root):
    """The plugin also looks where LibTorch lay when it was built: no path of that machine belongs here."""
    output_of("patchelf", "--set-rpath", "$ORIGIN/torch", root / PLUGIN)
    licences = SOURCE / "build/deps/torch/share/licenses"
    if not licences.exists():
        fail(f"{licences} is missing; run scripts/setup torch (an image takes its LibTorch, no other)")
    shutil.copytree(licences, root / DOC / "kubesentiment/libtorch")


def add_system_files(root, debian):
    write(root / "etc/passwd", f"nonroot:x:{USER}:{USER}::/:/sbin/nologin\n")
    write(root / "etc/group", f"nonroot:x:{USER}:\n")
    write(root / "usr/lib/os-release", debian.path("usr/lib/os-release").read_text(encoding="utf-8"))
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "tmp").mkdir()
    for path in sorted((root / "usr").glob("lib*")):  # where its interpreter lies is a matter of the architecture
        (root / path.name).symlink_to(f"usr/{path.name}")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def settle(root, epoch):
    """Modes that no umask changes, and one time."""
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_symlink():
            os.utime(path, (epoch, epoch), follow_symlinks=False)
            continue
        executable = path.is_dir() or path.parent == root / "usr/bin" or path.name.startswith("ld-linux")
        path.chmod(0o1777 if path == root / "tmp" else 0o755 if executable else 0o644)
        os.utime(path, (epoch, epoch))
    root.chmod(0o755)


def leave_out(root, beside):
    """Removes what the root below has already; a directory without a file of its own goes with it."""
    for path in sorted(root.rglob("*"), reverse=True):
        other = beside / path.relative_to(root)
        if path.is_symlink():
            if other.is_symlink() and os.readlink(path) == os.readlink(other):
                path.unlink()
        elif path.is_dir():
            if not any(path.iterdir()) and other.is_dir():
                path.rmdir()
        elif other.is_file() and filecmp.cmp(path, other, shallow=False):
            path.unlink()


def lay_out(target, build, root, debian):
    install(build, target, root)
    if target == "full" and not (root / PLUGIN).exists():
        fail(f"{build} has no PyTorch backend; run scripts/setup torch, then scripts/build release")
    system = Libraries(root, debian).add_all()
    if target == "full":
        finish_torch(root)
    packages = {}
    for file, source in system.items():
        packages.setdefault(debian.package_of(source), []).append(file.relative_to(root).as_posix())
    for package in packages:
        write(root / "var/lib/dpkg/status.d" / package, debian.status_of(package))
    for package in {*packages, *contents.COMPILED_IN}:
        add_copyright(root, debian, package)
    add_system_files(root, debian)
    return packages


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("target", choices=sorted(COMPONENTS))
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--beside", type=pathlib.Path)
    parser.add_argument("--architecture", help="Debian's name of it; by default this machine's")
    arguments = parser.parse_args()
    debian = Debian(arguments.architecture)
    if arguments.target == "full" and not debian.is_own:
        fail(f"`full` is laid out on its own architecture alone: there is no PyTorch backend for {debian.architecture} here")
    build = SOURCE / "build" / ("release" if debian.is_own else debian.architecture)
    root = arguments.output.resolve()
    if root.exists():
        fail(f"{root} is there already")
    root.mkdir(parents=True)
    packages = lay_out(arguments.target, build, root, debian)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    document = sbom.make(root, f"kubesentiment-{arguments.target}", packages, debian, epoch)
    write(root / DOC / "kubesentiment/sbom.spdx.json", json.dumps(document, indent=1) + "\n")
    settle(root, epoch)
    if arguments.beside:
        leave_out(root, arguments.beside.resolve())


if __name__ == "__main__":
    main()
