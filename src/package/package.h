// The directory that convert writes and serve reads (files as in ARCHITECTURE, "The package").
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "base/mapped_file.h"
#include "package/manifest.h"

namespace ks {

inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kTokenizerJsonFile[] = "tokenizer.json";
inline constexpr char kTokenizerBinFile[] = "tokenizer.bin";
inline constexpr char kWeightsFile[] = "model.safetensors";
inline constexpr char kFp32GraphFile[] = "fp32.onnx";
inline constexpr char kPortableGraphFile[] = "portable.onnx";

// An opened package: manifest read, sizes checked, tokenizer mapped. Immutable; shared by all threads.
class Package {
 public:
  // Opens `directory` (links are followed once, here: a link that is moved later does not mix two packages; that
  // includes the `..data` link of a Kubernetes volume). Reads the manifest and compares the size of every file;
  // contents are Verify's. Each error names the file, what was expected and what was found:
  //   kNotFound            no such directory; no manifest.json in it (the message says how a package is made); a file
  //                        of the manifest is missing
  //   kDataLoss            a file's size is not the manifest's; the manifest is damaged or lacks a needed file
  //   kFailedPrecondition  another format version
  //   kPermissionDenied
  static absl::StatusOr<std::shared_ptr<const Package>> Open(const std::filesystem::path& directory);

  // Hashes every file of the manifest. Blocks for the whole package (about 1 GB/s) but leaves the page cache alone.
  // Optional files that were left out are no fault.
  // Errors: kDataLoss naming the first file whose hash differs, with both hashes; kNotFound, kPermissionDenied.
  absl::Status Verify() const;

  const Manifest& manifest() const { return manifest_; }
  // Canonical path of the directory as it was when opened.
  const std::filesystem::path& directory() const { return directory_; }
  // tokenizer.bin, mapped for the life of the package.
  std::span<const std::byte> tokenizer() const { return tokenizer_.bytes(); }

 private:
  Package() = default;
  std::filesystem::path directory_;
  Manifest manifest_;
  MappedFile tokenizer_;
};

}  // namespace ks
