"""An image as a file, read without any container tool: scripts/image writes the layers of a docker archive as plain tars."""

import io
import json
import os
import pathlib
import tarfile

SOURCE = pathlib.Path(os.environ["KS_SOURCE_DIR"])
FOLDER = pathlib.Path(os.environ.get("KS_IMAGE_DIR", SOURCE / "build/image"))


class Archive:
    """`config`: what it says of itself. `members`: what it holds, the last layer's word of each path, as tar entries."""

    def __init__(self, target):
        self.members, self._contents = {}, {}
        with tarfile.open(FOLDER / f"{target}.docker.tar") as outer:
            manifest = json.load(outer.extractfile("manifest.json"))[0]
            self.config = json.load(outer.extractfile(manifest["Config"]))
            for name in manifest["Layers"]:
                entry = outer.getmember(name)
                while entry.issym():
                    entry = outer.getmember(os.path.normpath(os.path.join(os.path.dirname(entry.name), entry.linkname)))
                with tarfile.open(fileobj=io.BufferedReader(outer.extractfile(entry))) as layer:
                    for member in layer:
                        path = member.name.strip("/")
                        self.members[path] = member
                        if member.isfile():
                            self._contents[path] = layer.extractfile(member).read()

    def files(self):
        return {path: content for path, content in self._contents.items() if self.members[path].isfile()}

    def read(self, path):
        return self._contents[path]


def oci_manifest(target):
    """The digest and the manifest in the OCI archive."""
    with tarfile.open(FOLDER / f"{target}.oci.tar") as tar:
        index = json.load(tar.extractfile("index.json"))
        digest = index["manifests"][0]["digest"]
        return digest, json.load(tar.extractfile("blobs/" + digest.replace(":", "/")))
