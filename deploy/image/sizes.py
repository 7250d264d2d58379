#!/usr/bin/env python3
"""Prints the digest and the size of each image in an OCI archive: sizes.py FILE.oci.tar"""

import sys

import oci

if __name__ == "__main__":
    archive = oci.Archive(sys.argv[1])
    sizes = ", ".join(f"{oci.compressed_bytes(manifest) / 1e6:.1f} MB compressed ({config['architecture']})"
                      for manifest, config in archive.images())
    print(f"{sys.argv[1]}: {archive.digest}, {sizes}")
