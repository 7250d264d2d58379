#!/usr/bin/env python3
"""Prints the digest and the size of each image in an OCI archive: sizes.py FILE.oci.tar"""

import json
import sys
import tarfile


class Archive:
    def __init__(self, path):
        self._tar = tarfile.open(path)
        self._names = {member.name.lstrip("./"): member for member in self._tar.getmembers()}
        self.digest = self._read("index.json")["manifests"][0]["digest"]

    def _read(self, name):
        return json.load(self._tar.extractfile(self._names[name]))

    def blob(self, digest):
        return self._read("blobs/" + digest.replace(":", "/"))

    def sizes(self):
        """Compressed bytes by architecture."""
        outer = self.blob(self.digest)
        manifests = [self.blob(entry["digest"]) for entry in outer["manifests"]] if "manifests" in outer else [outer]
        return {self.blob(manifest["config"]["digest"])["architecture"]: sum(layer["size"] for layer in manifest["layers"])
                for manifest in manifests}


if __name__ == "__main__":
    archive = Archive(sys.argv[1])
    sizes = ", ".join(f"{size / 1e6:.1f} MB compressed ({architecture})" for architecture, size in archive.sizes().items())
    print(f"{sys.argv[1]}: {archive.digest}, {sizes}")
