#!/usr/bin/env python3
"""Prints the digest and the size of an image in an OCI archive: sizes.py FILE.oci.tar"""

import json
import sys
import tarfile


def manifest_of(archive):
    """The digest and the manifest of the one image in an OCI archive."""
    with tarfile.open(archive) as tar:
        names = {member.name.lstrip("./"): member for member in tar.getmembers()}
        index = json.load(tar.extractfile(names["index.json"]))
        digest = index["manifests"][0]["digest"]
        return digest, json.load(tar.extractfile(names["blobs/" + digest.replace(":", "/")]))


if __name__ == "__main__":
    digest, manifest = manifest_of(sys.argv[1])
    size = sum(layer["size"] for layer in manifest["layers"])
    print(f"{sys.argv[1]}: {digest}, {size / 1e6:.1f} MB compressed")
