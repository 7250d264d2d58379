#!/usr/bin/env python3
"""Puts images of several architectures into one OCI archive: index.py OUTPUT.oci.tar INPUT.oci.tar..

Their manifests and layers stay as they are, digests too; what is added is the index from which a runtime takes the image of
its own architecture. The same images give the same archive."""

import hashlib
import io
import json
import sys
import tarfile

import oci

INDEX = "application/vnd.oci.image.index.v1+json"


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()


def descriptor(archive):
    [(_, config)] = archive.images()
    return {"mediaType": archive.entry["mediaType"], "digest": archive.digest, "size": archive.entry["size"],
            "platform": {"architecture": config["architecture"], "os": config["os"]}}


def write(path, archives):
    """Returns the index's digest."""
    index = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(archive) for archive in archives]})
    digest = "sha256:" + hashlib.sha256(index).hexdigest()
    outer = {"schemaVersion": 2, "manifests": [{"mediaType": INDEX, "digest": digest, "size": len(index),
                                                "annotations": archives[0].entry.get("annotations", {})}]}
    files = {"oci-layout": encode({"imageLayoutVersion": "1.0.0"}), "index.json": encode(outer), oci.blob_name(digest): index}
    for archive in archives:
        files |= archive.blobs()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return digest


if __name__ == "__main__":
    output, *inputs = sys.argv[1:]
    print(write(output, [oci.Archive(path) for path in inputs]))
