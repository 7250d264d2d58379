#!/usr/bin/env python3
"""Puts images of several architectures into one OCI archive: index.py OUTPUT.oci.tar INPUT.oci.tar..

Their manifests and layers stay as they are, digests too; what is added is the index from which a runtime takes the image of
its own architecture. The same images give the same archive."""

import hashlib
import io
import json
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"


def blob_name(digest):
    return "blobs/" + digest.replace(":", "/")


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Image:
    """The one image of an OCI archive."""

    def __init__(self, path):
        with tarfile.open(path) as tar:
            self.blobs = {member.name.lstrip("./"): tar.extractfile(member).read() for member in tar if member.isfile()}
        index = json.loads(self.blobs.pop("index.json"))
        self.blobs.pop("oci-layout")
        entry = index["manifests"][0]
        self.annotations = entry.get("annotations", {})
        manifest = json.loads(self.blobs[blob_name(entry["digest"])])
        config = json.loads(self.blobs[blob_name(manifest["config"]["digest"])])
        self.descriptor = {"mediaType": entry["mediaType"], "digest": entry["digest"], "size": entry["size"],
                           "platform": {"architecture": config["architecture"], "os": config["os"]}}


def write(path, images):
    """Returns the index's digest."""
    index = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image.descriptor for image in images]})
    digest = "sha256:" + hashlib.sha256(index).hexdigest()
    outer = {"schemaVersion": 2, "manifests": [{"mediaType": INDEX, "digest": digest, "size": len(index),
                                                "annotations": images[0].annotations}]}
    files = {"oci-layout": encode({"imageLayoutVersion": "1.0.0"}), "index.json": encode(outer), blob_name(digest): index}
    for image in images:
        files |= image.blobs
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return digest


if __name__ == "__main__":
    output, *inputs = sys.argv[1:]
    print(write(output, [Image(path) for path in inputs]))
