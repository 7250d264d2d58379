"""What lies in an image besides our own files: the one list behind the licences that are copied and the SBOM. The tests
hold it against NOTICE, against what scripts/setup installs and against what lies in the image."""

# Debian packages whose archives or headers are compiled into the program: the name in NOTICE, the licence.
COMPILED_IN = {
    "libabsl-dev": ("Abseil", "Apache-2.0"),
    "libboost1.81-dev": ("Boost", "BSL-1.0"),
    "libcli11-dev": ("CLI11", "BSD-3-Clause"),
    "libeigen3-dev": ("Eigen", "MPL-2.0"),
    "liblzma-dev": ("liblzma", "LicenseRef-public-domain"),
    "libprotobuf-dev": ("Protocol Buffers", "BSD-3-Clause"),
    "libssl-dev": ("OpenSSL", "Apache-2.0"),
    "libtomlplusplus-dev": ("toml++", "MIT"),
    "zlib1g-dev": ("zlib", "Zlib"),
}

# Debian packages whose shared libraries lie beside it.
SHARED = {
    "libc6": ("GNU C Library", "LGPL-2.1-or-later"),
    "libcsv3": ("libcsv", "LGPL-2.1-or-later"),
    "libgcc-s1": ("GCC's runtime libraries", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libmimalloc2.0": ("mimalloc", "MIT"),
    "libprometheus-cpp-core1.0": ("prometheus-cpp", "MIT"),
    "libsimdjson14": ("simdjson", "Apache-2.0"),
    "libstdc++6": ("GCC's runtime libraries", "GPL-3.0-or-later WITH GCC-exception-3.1"),
}

# Shared libraries from wheels: the name in NOTICE, the wheel, who publishes it, the licence.
FROM_WHEELS = {
    "libonnxruntime.so.1": ("ONNX Runtime", "onnxruntime", "Microsoft", "MIT"),
    "libtorch_cpu.so": ("LibTorch", "torch", "PyTorch", "BSD-3-Clause"),
    "libc10.so": ("LibTorch", "torch", "PyTorch", "BSD-3-Clause"),
    "libgomp.so.1": ("GCC's runtime libraries", "torch", "PyTorch", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libcudart.so.13": ("CUDA runtime", "nvidia-cuda-runtime", "NVIDIA", "LicenseRef-NVIDIA-CUDA"),
    "libcupti.so.13": ("CUPTI", "nvidia-cuda-cupti", "NVIDIA", "LicenseRef-NVIDIA-CUDA"),
}

# Licences without a name in SPDX's list.
OTHER_LICENCES = {
    "LicenseRef-public-domain": "liblzma has been put into the public domain by its authors; see its copyright file.",
    "LicenseRef-NVIDIA-CUDA": "The licence agreement of NVIDIA's CUDA toolkit, in libtorch/NVIDIA-CUDA.txt beside this file.",
}
