#!/usr/bin/env python3
"""Lays out the root of an image from a build tree: rootfs.py runtime|full --build build/release --output DIR [--beside DIR]

The tree that `cmake --install` makes goes to usr/, stripped. What it asks the dynamic linker for comes from the system, and
with each library what Debian says of its package (scanners read var/lib/dpkg/status.d) and its licence. Then a user without
a name for anything, /tmp, and the SBOM (sbom.py). Nothing else: no shell, no package manager, no network configuration.

`runtime` is what serving int8 needs; `full` adds fp32, the portable graphs and the PyTorch backend with LibTorch. --beside
names a root that lies below this one in the image: files that are the same there are left out here.

Debian alone: it asks dpkg, and readelf. $SOURCE_DATE_EPOCH is the time of all files.
"""

import argparse
import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import contents  # noqa: E402
import sbom  # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOC = "usr/share/doc"
PLUGIN = "usr/lib/libkubesentiment_torch.so"
COMPONENTS = {"runtime": ["--component", "runtime"], "full": []}
USER = 65532


def fail(message):
    sys.exit(f"error: {message}")


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


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

    def __init__(self, root, triplet):
        self.root, self.triplet = root, triplet
        self.system = {}  # the file in the root: the file of the system that it was copied from
        # With the folder that $ORIGIN stands for, which of a copied file is where it came from.
        self.queue = [(path, path.parent) for path in sorted(root.rglob("*"))
                      if path.is_file() and not path.is_symlink() and is_elf(path)]

    def add_all(self):
        while self.queue:
            path, origin = self.queue.pop()
            needed, runpath, interpreter = dynamic_section(path)
            if interpreter:
                self.copy(pathlib.Path(interpreter), self.root / "usr" / interpreter.lstrip("/"), self.system)
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
        for directory in ("/lib", "/usr/lib"):
            source = pathlib.Path(directory) / self.triplet / name
            if source.exists():
                self.copy(source, self.root / "usr/lib" / self.triplet / name, self.system)
                return
        fail(f"{needing.relative_to(self.root)}: {name} is neither beside it nor among the system's libraries")

    def copy(self, source, target, record=None):
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if record is not None:
            record[target] = source
        self.queue.append((target, source.parent))


# --- Packages ---

def package_of(file):
    """The Debian package that a file came with; since /lib is a link to /usr/lib dpkg may know it by either name."""
    for path in (file, file.resolve(), *[pathlib.Path("/usr") / f.relative_to("/") for f in (file, file.resolve())],
                 *[pathlib.Path("/") / f.relative_to("/usr") for f in (file, file.resolve()) if f.is_relative_to("/usr")]):
        done = subprocess.run(["dpkg-query", "--search", path], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    return fail(f"{file}: no Debian package has it")


def version_of(package):
    return output_of("dpkg-query", "--show", "--showformat", "${Version}", package)


def add_copyright(root, package, documents=pathlib.Path("/usr/share/doc")):
    """The package's copyright file and the licences of Debian's own collection that it refers to."""
    source = documents / package / "copyright"
    if not source.exists():
        fail(f"{source} is missing; a system without documentation cannot make an image (dpkg's path-exclude)")
    text = source.read_text(encoding="utf-8", errors="replace")
    target = root / DOC / package / "copyright"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    for name in re.findall(r"/usr/share/common-licenses/([A-Za-z]+(?:-[0-9]+(?:\.[0-9]+)?)?)", text):
        licence = pathlib.Path("/usr/share/common-licenses") / name
        if licence.exists():
            (root / "usr/share/common-licenses").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(licence, root / "usr/share/common-licenses" / name)


def compiled_in_copyright(root, package):
    """Boost may be unpacked beside the system's (scripts/setup)."""
    unpacked = SOURCE / "build/deps/boost/usr/share/doc"
    beside = package.startswith("libboost") and (unpacked / package).exists()
    add_copyright(root, package, unpacked if beside else pathlib.Path("/usr/share/doc"))


def compiled_in_version(package):
    header = SOURCE / "build/deps/boost/usr/include/boost/version.hpp"
    if package.startswith("libboost") and header.exists():
        return re.search(r'BOOST_LIB_VERSION "([0-9_]+)"', header.read_text())[1].replace("_", ".")
    return version_of(package)


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


def add_system_files(root):
    write(root / "etc/passwd", f"nonroot:x:{USER}:{USER}::/:/sbin/nologin\n")
    write(root / "etc/group", f"nonroot:x:{USER}:\n")
    write(root / "usr/lib/os-release", pathlib.Path("/usr/lib/os-release").read_text(encoding="utf-8"))
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "tmp").mkdir()
    for name in ("lib", "lib64"):
        (root / "usr" / name).mkdir(exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


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


def lay_out(target, build, root):
    install(build, target, root)
    if target == "full" and not (root / PLUGIN).exists():
        fail(f"{build} has no PyTorch backend; run scripts/setup torch, then scripts/build release")
    triplet = output_of("g++", "-print-multiarch").strip()
    libraries = Libraries(root, triplet)
    system = libraries.add_all()
    if target == "full":
        finish_torch(root)
    packages = {}
    for file, source in system.items():
        packages.setdefault(package_of(source), []).append(file.relative_to(root).as_posix())
    for package in packages:
        # dpkg-query's own words are what scanners of installed packages know.
        write(root / "var/lib/dpkg/status.d" / package, output_of("dpkg-query", "--status", package) + "\n")
        add_copyright(root, package)
    for package in contents.COMPILED_IN:
        compiled_in_copyright(root, package)
    add_system_files(root)
    return packages


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("target", choices=sorted(COMPONENTS))
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--beside", type=pathlib.Path)
    arguments = parser.parse_args()
    root = arguments.output.resolve()
    if root.exists():
        fail(f"{root} is there already")
    root.mkdir(parents=True)
    packages = lay_out(arguments.target, arguments.build, root)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    document = sbom.make(root, f"kubesentiment-{arguments.target}", packages, version_of, compiled_in_version, epoch)
    write(root / DOC / "kubesentiment/sbom.spdx.json", json.dumps(document, indent=1) + "\n")
    settle(root, epoch)
    if arguments.beside:
        leave_out(root, arguments.beside.resolve())


if __name__ == "__main__":
    main()
