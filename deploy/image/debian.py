"""The Debian that an image's libraries come from: this machine's, or that of another architecture which scripts/setup has
unpacked beside it. Either way it is dpkg-query that knows its packages."""

import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def fail(message):
    sys.exit(f"error: {message}")


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Debian:
    def __init__(self, architecture=None):
        own = output_of("dpkg", "--print-architecture").strip()
        self.architecture = architecture or own
        self.is_own = self.architecture == own
        self.root = pathlib.Path("/") if self.is_own else SOURCE / "build/deps" / self.architecture / "root"
        if not self.root.exists():
            fail(f"{self.root} is missing; run scripts/setup {self.architecture}")
        self._query = ["dpkg-query", "--admindir", self.root / "var/lib/dpkg"]
        files = output_of(*self._query, "--listfiles", f"libc6:{self.architecture}").split()
        self.triplet = next(pathlib.Path(file).parent.name for file in files if file.endswith("/libc.so.6"))

    def path(self, absolute):
        """Where what this Debian calls so lies."""
        return self.root / str(absolute).lstrip("/")

    def library(self, name):
        """A shared library that its linker finds, or None."""
        candidates = (self.path(directory) / self.triplet / name for directory in ("lib", "usr/lib"))
        return next((candidate for candidate in candidates if candidate.exists()), None)

    def package_of(self, file):
        """The package that a file came with; since /lib is a link to /usr/lib dpkg may know it by either name."""
        names = [pathlib.Path("/") / name.relative_to(self.root) for name in (file, file.resolve())]
        names += [pathlib.Path("/usr") / name.relative_to("/") for name in names]
        names += [pathlib.Path("/") / name.relative_to("/usr") for name in names if name.is_relative_to("/usr")]
        for name in names:
            done = subprocess.run([*self._query, "--search", name], capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.split(":")[0]
        return fail(f"{file}: no Debian package has it")

    def version_of(self, package):
        return output_of(*self._query, "--show", "--showformat", "${Version}", package)

    def status_of(self, package):
        """dpkg-query's own words, which scanners of installed packages know."""
        return output_of(*self._query, "--status", package) + "\n"

    # --- Boost, which on this machine may be unpacked beside the system's (scripts/setup) ---

    def documents_of(self, package):
        """The folder that has the package's documentation."""
        beside = SOURCE / "build/deps/boost/usr/share/doc"
        use_beside = self.is_own and package.startswith("libboost") and (beside / package).exists()
        return (beside if use_beside else self.path("usr/share/doc")) / package

    def compiled_in_version_of(self, package):
        header = SOURCE / "build/deps/boost/usr/include/boost/version.hpp"
        if self.is_own and package.startswith("libboost") and header.exists():
            return re.search(r'BOOST_LIB_VERSION "([0-9_]+)"', header.read_text())[1].replace("_", ".")
        return self.version_of(package)
