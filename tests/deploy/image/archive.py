"""Images as files, read without any container tool: scripts/image writes the layers of a docker archive as plain tars."""

import io
import json
import os
import pathlib
import sys
import tarfile

SOURCE = pathlib.Path(os.environ["KS_SOURCE_DIR"])
FOLDER = pathlib.Path(os.environ.get("KS_IMAGE_DIR", SOURCE / "build/image"))
sys.path.insert(0, str(SOURCE / "deploy/image"))

import oci  # noqa: E402

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


def oci_archive(name):
    return oci.Archive(FOLDER / f"{name}.oci.tar")
