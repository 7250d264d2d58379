"""The SBOM of an image's root as SPDX 2.3 JSON: every file with its hashes, every library with its version and licence,
those compiled into the program too, which no scanner of files can see. The same root gives the same document."""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import uuid

import contents

PROGRAM = "usr/bin/kubesentiment"
MODEL = "usr/share/kubesentiment/models/default"


def spdx_id(*parts):
    return "SPDXRef-" + "-".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part) for part in parts)


def package(identifier, name, version, licence, purl=None, supplier="NOASSERTION", **more):
    entry = {"SPDXID": identifier, "name": name, "versionInfo": version, "supplier": supplier, "downloadLocation": "NOASSERTION",
             "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": licence,
             "copyrightText": "NOASSERTION"}
    if purl:
        entry["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]
    return entry | more


def of_debian(name, version, licence, kind, architecture):
    return package(spdx_id(kind, name), name, version, licence, f"pkg:deb/debian/{name}@{version.replace(':', '%3A')}?arch={architecture}",
                   "Organization: Debian")


def hashes(path):
    content = path.read_bytes()
    return [{"algorithm": name.upper(), "checksumValue": hashlib.new(name, content).hexdigest()} for name in ("sha1", "sha256")]


def project_version(source):
    return re.search(r"project\(kubesentiment VERSION ([0-9.]+)", (source / "CMakeLists.txt").read_text())[1]


def onnxruntime_version(library):
    """Its symbols carry it."""
    text = subprocess.run(["readelf", "--wide", "--version-info", library], capture_output=True, text=True, check=True).stdout
    return re.search(r"Name: VERS_([0-9.]+)", text)[1]


def wheel_versions(source):
    """By the wheel's name, as scripts/setup pins them."""
    text = (source / "scripts/setup").read_text(encoding="utf-8")
    pins = dict(re.findall(r"\b(nvidia-[a-z-]+)==([0-9.]+)", text))
    pins["torch"] = re.search(r"provide_libtorch\(\).*?local version=([0-9.]+)", text, re.DOTALL)[1]
    pins["onnx"] = re.search(r"provide_onnx_proto\(\).*?local version=([0-9.]+)", text, re.DOTALL)[1]
    return pins


class Document:
    def __init__(self, name):
        self.packages, self.files, self.relations = [], [], []
        self.name = name

    def add(self, entry, relation="CONTAINS", of=None):
        self.packages.append(entry)
        self.relate(of or spdx_id("image"), relation, entry["SPDXID"])
        return entry["SPDXID"]

    def relate(self, one, relation, other):
        self.relations.append({"spdxElementId": one, "relationshipType": relation, "relatedSpdxElement": other})

    def add_file(self, root, path, owner):
        identifier = spdx_id("file", path)
        self.files.append({"SPDXID": identifier, "fileName": f"./{path}", "checksums": hashes(root / path),
                           "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION"})
        self.relate(owner, "CONTAINS", identifier)


def make(root, name, packages, debian, epoch):
    """`packages`: packages of `debian` with the files of the root that are theirs. Returns the document."""
    source = pathlib.Path(__file__).resolve().parents[2]
    version, wheels = project_version(source), wheel_versions(source)
    document = Document(name)
    image = package(spdx_id("image"), name, version, "Apache-2.0", primaryPackagePurpose="CONTAINER")
    document.packages.append(image)
    document.relate("SPDXRef-DOCUMENT", "DESCRIBES", image["SPDXID"])
    program = document.add(package(spdx_id("kubesentiment"), "kubesentiment", version, "Apache-2.0",
                                   primaryPackagePurpose="APPLICATION"))
    manifest = json.loads((root / MODEL / "manifest.json").read_text(encoding="utf-8"))
    model = document.add(package(spdx_id("model"), manifest["name"], version, "Apache-2.0"))

    owner = {}
    for debian_name, files in sorted(packages.items()):
        identifier = document.add(of_debian(debian_name, debian.version_of(debian_name), contents.SHARED[debian_name][1],
                                            "shared", debian.architecture))
        document.relate(program, "DYNAMIC_LINK", identifier)
        owner |= dict.fromkeys(files, identifier)
    for debian_name, (_, licence) in sorted(contents.COMPILED_IN.items()):
        document.add(of_debian(debian_name, debian.compiled_in_version_of(debian_name), licence, "compiled-in", debian.architecture),
                     "STATIC_LINK", program)
    document.add(package(spdx_id("compiled-in", "onnx"), "onnx", wheels["onnx"], "Apache-2.0", f"pkg:pypi/onnx@{wheels['onnx']}"),
                 "STATIC_LINK", program)

    for file in sorted(path for path in (root / "usr/lib").rglob("*") if path.name in contents.FROM_WHEELS):
        _, wheel, supplier, licence = contents.FROM_WHEELS[file.name]
        its_version = onnxruntime_version(file) if wheel == "onnxruntime" else wheels[wheel]
        identifier = document.add(package(spdx_id("wheel", file.name), file.name.split(".so")[0], its_version, licence,
                                          f"pkg:pypi/{wheel}@{its_version}", f"Organization: {supplier}",
                                          checksums=hashes(file)))
        document.relate(program, "DYNAMIC_LINK", identifier)
        owner[file.relative_to(root).as_posix()] = identifier

    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.is_file() and not file.is_symlink():
            fallback = model if path.startswith(MODEL) else program if path == PROGRAM else image["SPDXID"]
            document.add_file(root, path, owner.get(path, fallback))
    return finish(document, epoch)


def analyse_files(document):
    """What SPDX asks of a package that contains files: one hash over those of all of them."""
    sha1 = {entry["SPDXID"]: entry["checksums"][0]["checksumValue"] for entry in document.files}
    for entry in document.packages:
        of_files = sorted(sha1[relation["relatedSpdxElement"]] for relation in document.relations
                          if relation["spdxElementId"] == entry["SPDXID"] and relation["relatedSpdxElement"] in sha1)
        if of_files:
            code = hashlib.sha1("".join(of_files).encode()).hexdigest()
            entry |= {"filesAnalyzed": True, "packageVerificationCode": {"packageVerificationCodeValue": code},
                      "licenseInfoFromFiles": ["NOASSERTION"]}


def finish(document, epoch):
    analyse_files(document)
    body = {"packages": document.packages, "files": document.files, "relationships": document.relations}
    used = {entry["licenseDeclared"] for entry in document.packages}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": document.name,
            "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
            "creationInfo": {"created": created, "creators": ["Tool: kubesentiment-deploy-image"]},
            "hasExtractedLicensingInfos": [{"licenseId": name, "extractedText": text}
                                           for name, text in sorted(contents.OTHER_LICENCES.items()) if name in used],
            } | body
