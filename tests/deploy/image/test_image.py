"""What lies in the images and what they say of themselves, read from the archives that scripts/image has written."""

import datetime
import filecmp
import hashlib
import json
import os
import re
import subprocess
import sys
import urllib.parse

import pytest

from archive import FOLDER, HAS_ARM64, NO_ARM64, SOURCE, Archive, oci, oci_archive

import contents  # archive.py says where

USER = "65532:65532"
PROGRAM = "usr/bin/kubesentiment"
MODEL = "usr/share/kubesentiment/models/default/"
SBOM = "usr/share/doc/kubesentiment/sbom.spdx.json"
BARS = {"runtime": 60e6, "runtime-arm64": 60e6}
AIM = 50e6


@pytest.fixture(scope="session", params=[
    "runtime", "full", pytest.param("runtime-arm64", marks=pytest.mark.skipif(not HAS_ARM64, reason=NO_ARM64))])
def target(request):
    return request.param


@pytest.fixture(scope="session")
def archive(target):
    return Archive(target)


@pytest.fixture(scope="session")
def sbom(archive):
    return json.loads(archive.read(SBOM))


# --- What lies in it ---

def test_the_program_is_all_that_can_be_run(archive):
    run = [path for path, member in archive.members.items() if member.isfile() and member.mode & 0o111]
    assert [path for path in run if not path.rsplit("/", 1)[-1].startswith("ld-linux")] == [PROGRAM]
    shell = re.compile(r"(^|/)(sh|bash|dash|busybox|apt|apt-get|dpkg|perl|python3?)$")
    assert not [path for path, member in archive.members.items() if not member.isdir() and shell.search(path)]


def test_all_of_it_is_roots_and_only_tmp_can_be_written(archive):
    assert {(member.uid, member.gid) for member in archive.members.values()} == {(0, 0)}
    assert not [path for path, member in archive.members.items() if not member.issym() and member.mode & 0o6000]
    writable = {path: oct(member.mode & 0o7777) for path, member in archive.members.items() if not member.issym() and member.mode & 0o022}
    assert writable == {"tmp": "0o1777"}
    assert all(member.mode & 0o444 == 0o444 for member in archive.members.values()), "all can be read by everybody"


def test_each_target_has_its_files(archive, target):
    files = archive.files()
    assert MODEL + "int8.bin" in files and MODEL + "tokenizer.bin" in files
    only_full = {MODEL + "model.safetensors", MODEL + "fp32.onnx", MODEL + "portable.onnx", "usr/lib/libkubesentiment_torch.so",
                 "usr/lib/torch/libtorch_cpu.so"}
    assert only_full & set(files) == (only_full if target == "full" else set())


def test_nothing_of_the_building_machine_reaches_it(archive):
    names = {path.rsplit("/", 1)[-1] for path in archive.members}
    assert not names & {"resolv.conf", "hostname", "hosts", "sources.list", "machine-id", ".dockerenv", ".bash_history"}
    traces = {str(SOURCE).encode(), *map(str.encode, registry_hosts())}
    found = [(path, trace) for path, content in archive.files().items() for trace in traces if trace in content]
    # A licence may name the place that its text is from, which may be where this machine fetches packages too.
    assert not [(path, trace) for path, trace in found if not path.lstrip("/").startswith(("usr/share/doc/", "usr/share/common-licenses/"))]
    assert not [trace for trace in traces if trace in json.dumps(archive.config).encode()]


def registry_hosts():
    """The hosts that this machine fetches packages from."""
    urls = [value for name, value in os.environ.items() if re.search(r"INDEX_URL|GOPROXY|PROXY$|REGISTRY", name, re.IGNORECASE)]
    for command in (["apt-get", "indextargets", "--format", "$(SITE)"], [sys.executable, "-m", "pip", "config", "list"],
                    ["npm", "config", "get", "registry"]):
        try:
            urls.append(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)
        except OSError:  # a tool that this machine does not have
            continue
    hosts = {urllib.parse.urlsplit(url).hostname for url in re.findall(r"https?://[^\s,'\"]+", " ".join(urls))}
    return {host for host in hosts if host and "." in host}


def test_the_program_is_stripped_and_finds_its_library_beside_it(archive, tmp_path):
    program = tmp_path / "program"
    program.write_bytes(archive.read(PROGRAM))
    sections = subprocess.run(["readelf", "--wide", "--sections", "--dynamic", program], capture_output=True, text=True).stdout
    assert ".dynsym" in sections and ".symtab" not in sections and ".debug" not in sections
    assert re.findall(r"RUNPATH.*\[(.*)\]", sections) == ["$ORIGIN/../lib"]


# --- What it says of itself ---

def test_how_it_starts(archive, target):
    config = archive.config["config"]
    assert config["User"] == USER
    assert config["Entrypoint"] == ["/" + PROGRAM] and config["Cmd"] == ["serve"]
    assert config["Env"] == ["PATH=/usr/bin", "KS_LISTEN=0.0.0.0:8000"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/" + PROGRAM, "health"]
    assert (archive.config["os"], archive.config["architecture"]) == ("linux", architecture(target))
    assert f"nonroot:x:{USER}:" in archive.read("etc/passwd").decode()


def architecture(target):
    if target.endswith("-arm64"):
        return "arm64"
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip()


def test_it_is_all_of_one_architecture(archive, target, sbom):
    machines = {int.from_bytes(content[18:20], "little") for content in archive.files().values() if content.startswith(b"\x7fELF")}
    assert machines == {{"amd64": 62, "arm64": 183}[architecture(target)]}, "as ELF calls them"
    purls = [reference["referenceLocator"] for entry in sbom["packages"] for reference in entry.get("externalRefs", ())]
    assert {purl.split("?arch=")[1] for purl in purls if purl.startswith("pkg:deb/")} == {architecture(target)}


def test_its_labels(archive):
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in archive.config["config"]["Labels"].items()}
    assert set(labels) == {"title", "description", "licenses", "version", "revision", "created"}
    assert labels["title"] == "KubeSentiment" and labels["licenses"] == "Apache-2.0"
    assert f"project(kubesentiment VERSION {labels['version']} " in (SOURCE / "CMakeLists.txt").read_text()
    assert re.fullmatch(r"[0-9a-f]{40}(-modified)?", labels["revision"])
    created = datetime.datetime.fromisoformat(labels["created"])
    assert created == datetime.datetime.fromisoformat(archive.config["created"])
    assert {member.mtime for member in archive.members.values()} == {created.timestamp()}


def test_its_size(target):
    oci_image = oci_archive(target)
    [(manifest, _)] = oci_image.images()
    size = oci.compressed_bytes(manifest)
    print(f"\n{target}: {oci_image.digest}, {size / 1e6:.1f} MB compressed (aim {AIM / 1e6:.0f})")
    assert oci_image.digest == (FOLDER / f"{target}.digest").read_text().strip()
    assert size <= BARS.get(target, float("inf"))


def test_the_digest_is_the_same_again(tmp_path):
    """Elsewhere, under another umask, at another time."""
    environment = os.environ | {"KS_IMAGE_OUTPUT": str(tmp_path)}
    names = ["runtime", "runtime-arm64", "index"] if HAS_ARM64 else ["runtime"]
    done = subprocess.run([SOURCE / "scripts/image", names[-1]], env=environment, capture_output=True, text=True, timeout=900,
                          umask=0o077)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(tmp_path / f"{name}.digest").read_text() for name in names] == [(FOLDER / f"{name}.digest").read_text() for name in names]
    if HAS_ARM64:
        assert filecmp.cmp(tmp_path / "index.oci.tar", FOLDER / "index.oci.tar", shallow=False)


# --- Licences and SBOM ---

def test_notice_names_what_lies_in_it():
    notice = (SOURCE / "NOTICE").read_text()
    names = {entry[0] for table in (contents.COMPILED_IN, contents.SHARED, contents.FROM_WHEELS) for entry in table.values()}
    assert not [name for name in names if not re.search(rf"^  {re.escape(name)}[ (]", notice, re.MULTILINE)]


def test_each_package_has_its_licence(archive, sbom):
    files = archive.files()
    packages = {path.rsplit("/", 1)[1] for path in files if path.startswith("var/lib/dpkg/status.d/")}
    assert packages == set(contents.SHARED)
    for package in packages | set(contents.COMPILED_IN):
        text = files[f"usr/share/doc/{package}/copyright"].decode(errors="replace")
        for name in re.findall(r"/usr/share/common-licenses/([A-Z][A-Za-z]*-[0-9](?:\.[0-9])?)\b", text):
            assert f"usr/share/common-licenses/{name}" in files, (package, name)
    for path in ("LICENSE", "NOTICE", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"):
        assert f"usr/share/doc/kubesentiment/{path}" in files
    if "usr/lib/libkubesentiment_torch.so" in files:
        for path in ("LICENSE", "NVIDIA-CUDA.txt"):
            assert f"usr/share/doc/kubesentiment/libtorch/{path}" in files
    for package in packages:
        stanza = files[f"var/lib/dpkg/status.d/{package}"].decode()
        assert stanza.startswith(f"Package: {package}\n") and "\nStatus: install ok installed\n" in stanza
        version = re.search(r"^Version: (.*)$", stanza, re.MULTILINE)[1]
        assert [entry["versionInfo"] for entry in sbom["packages"] if entry["name"] == package] == [version]


def test_what_setup_installs_to_be_linked_is_in_the_list():
    setup = (SOURCE / "scripts/setup").read_text()
    packages = re.search(r"packages_run=\((.*?)\)", setup, re.DOTALL)[1].split()
    packages += re.findall(r"^boost_package=(libboost\S+)", setup, re.MULTILINE)
    installed = {package for package in packages if package.endswith("-dev")}
    shared = {package for package in installed
              if any(name.startswith(package.removesuffix("-dev")) or f"lib{package.removesuffix('-dev')}" in name
                     for name in contents.SHARED)}
    assert installed - shared == set(contents.COMPILED_IN)


def test_the_sbom_is_spdx(sbom, target):
    assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["dataLicense"] == "CC0-1.0" and sbom["name"] == f"kubesentiment-{target.removesuffix('-arm64')}"
    assert sbom == json.loads((FOLDER / f"{target}.spdx.json").read_text())
    ids = [entry["SPDXID"] for entry in sbom["packages"] + sbom["files"]] + [sbom["SPDXID"]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in ids)
    for relation in sbom["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= set(ids)
    files = {entry["SPDXID"]: entry["checksums"][0]["checksumValue"] for entry in sbom["files"]}
    for entry in sbom["packages"]:
        of = sorted(files[relation["relatedSpdxElement"]] for relation in sbom["relationships"]
                    if relation["spdxElementId"] == entry["SPDXID"] and relation["relatedSpdxElement"] in files)
        assert entry["filesAnalyzed"] == bool(of)
        code = entry.get("packageVerificationCode", {}).get("packageVerificationCodeValue")
        assert code == (hashlib.sha1("".join(of).encode()).hexdigest() if of else None)
    own_licences = {entry["licenseId"] for entry in sbom["hasExtractedLicensingInfos"]}
    assert own_licences == {entry["licenseDeclared"] for entry in sbom["packages"] if "LicenseRef" in entry["licenseDeclared"]}


def test_the_sbom_has_each_file_with_its_hash(archive, sbom):
    listed = {entry["fileName"].removeprefix("./"): {c["algorithm"]: c["checksumValue"] for c in entry["checksums"]}
              for entry in sbom["files"]}
    found = {path: {name.upper(): hashlib.new(name, content).hexdigest() for name in ("sha1", "sha256")}
             for path, content in archive.files().items()}
    del found[SBOM]  # it cannot hold its own
    assert listed == found


def test_each_library_belongs_to_a_package(archive, sbom):
    packages = {entry["SPDXID"]: entry for entry in sbom["packages"]}
    owner = {relation["relatedSpdxElement"]: packages[relation["spdxElementId"]] for relation in sbom["relationships"]
             if relation["relationshipType"] == "CONTAINS" and relation["spdxElementId"] in packages}
    libraries = [entry for entry in sbom["files"] if re.search(r"\.so(\.[0-9.]+)?$", entry["fileName"])]
    assert {"./usr/lib/libonnxruntime.so.1"} < {entry["fileName"] for entry in libraries}
    ours = "./usr/lib/libkubesentiment_torch.so"
    assert not [entry["fileName"] for entry in libraries
                if owner[entry["SPDXID"]]["name"].startswith("kubesentiment-") and entry["fileName"] != ours]


def test_the_sbom_has_the_runtime_and_what_is_compiled_in(sbom):
    packages = {entry["name"]: entry for entry in sbom["packages"]}
    runtime = packages["libonnxruntime"]
    setup = (SOURCE / "scripts/setup").read_text()
    assert f"\nonnxruntime_version={runtime['versionInfo']}\n" in setup and runtime["licenseDeclared"] == "MIT"
    static = {relation["relatedSpdxElement"] for relation in sbom["relationships"] if relation["relationshipType"] == "STATIC_LINK"}
    assert static == {packages[name]["SPDXID"] for name in [*contents.COMPILED_IN, "onnx"]}
    assert all(entry["versionInfo"] and entry["licenseDeclared"] != "NOASSERTION" for entry in packages.values())
