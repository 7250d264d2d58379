"""An OCI archive, read without any container tool."""

import json
import tarfile


def blob_name(digest):
    return "blobs/" + digest.replace(":", "/")


class Archive:
    """Holds one image, or an index of several. `digest` is that of the one or the other, `entry` what the archive says of it."""

    def __init__(self, path):
        self._tar = tarfile.open(path)
        self._members = {member.name.removeprefix("./"): member for member in self._tar if member.isfile()}
        [self.entry] = json.loads(self._read("index.json"))["manifests"]
        self.digest = self.entry["digest"]

    def _read(self, name):
        return self._tar.extractfile(self._members[name]).read()

    def blob(self, digest):
        return self._read(blob_name(digest))

    def blobs(self):
        """All of them, by their names in the archive."""
        return {name: self._read(name) for name in self._members if name.startswith("blobs/")}

    def document(self, digest):
        return json.loads(self.blob(digest))

    def images(self):
        """[(manifest, config)], in the index's order."""
        top = self.document(self.digest)
        manifests = [self.document(entry["digest"]) for entry in top["manifests"]] if "manifests" in top else [top]
        return [(manifest, self.document(manifest["config"]["digest"])) for manifest in manifests]


def compressed_bytes(manifest):
    return sum(layer["size"] for layer in manifest["layers"])
