"""An image as a file, read without any container tool: scripts/image writes the layers of a docker archive as plain tars."""

import io
import json
import os
import pathlib
import tarfile

SOURCE = pathlib.Path(os.environ["KS_SOURCE_DIR"])
FOLDER = pathlib.Path(os.environ.get("KS_IMAGE_DIR", SOURCE / "build/image"))


HAS_ARM64 = (FOLDER / "index.oci.tar").exists()
NO_ARM64 = "no build/image/index.oci.tar: what cross-compiling takes is missing (scripts/setup image)"


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

    def unpack(self, root):
        """Lays its files out below `root`."""
        for path, member in self.members.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.isdir():
                target.mkdir(exist_ok=True)
            elif member.issym():
                target.symlink_to(member.linkname)
            else:
                target.write_bytes(self._contents[path])
                target.chmod(member.mode)


def oci_manifest(name):
    """The digest and the manifest in the OCI archive, or the index where it holds several."""
    with tarfile.open(FOLDER / f"{name}.oci.tar") as tar:
        index = json.load(tar.extractfile("index.json"))
        digest = index["manifests"][0]["digest"]
        return digest, json.load(tar.extractfile(blob_name(digest)))


def oci_blob(name, digest):
    """A blob of the OCI archive, as bytes."""
    with tarfile.open(FOLDER / f"{name}.oci.tar") as tar:
        return tar.extractfile(blob_name(digest)).read()


def blob_name(digest):
    return "blobs/" + digest.replace(":", "/")
