// The directory that convert writes and serve reads (files as in ARCHITECTURE, "The package").
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mapped_file.h"
#include "package/manifest.h"

namespace ks {

inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr char kTokenizerJsonFile[] = "tokenizer.json";
inline constexpr char kTokenizerBinFile[] = "tokenizer.bin";
inline constexpr char kWeightsFile[] = "model.safetensors";
inline constexpr char kFp32GraphFile[] = "fp32.onnx";
inline constexpr char kInt8GraphFile[] = "int8.onnx";
inline constexpr char kInt8WeightsFile[] = "int8.bin";  // everything that int8 needs, in the kernels' layout
inline constexpr char kPortableGraphFile[] = "portable.onnx";
inline constexpr char kPortableInt8GraphFile[] = "portable_int8.onnx";
inline constexpr char kPortableInt8WeightsFile[] = "portable_int8.bin";

// An opened package: manifest read, sizes checked, tokenizer mapped. Immutable; shared by all threads.
class Package {
 public:
  // Opens `directory` (links are followed once, here: a link that is moved later does not mix two packages; that
  // includes the `..data` link of a Kubernetes volume). Reads the manifest and compares the size of every file;
  // contents are Verify's. Each error names the file, what was expected and what was found:
  //   kNotFound            no such directory; no manifest.json in it (the message says how a package is made); a file
  //                        of the manifest is missing that is not optional, or no precision has all of its files
  //   kDataLoss            a file's size is not the manifest's; the manifest is damaged or lacks a needed file
  //   kFailedPrecondition  another format version
  //   kPermissionDenied
  static absl::StatusOr<std::shared_ptr<const Package>> Open(const std::filesystem::path& directory);

  // Hashes every file of the manifest. Blocks for the whole package (about 1 GB/s), or until `stop` is requested, but
  // leaves the page cache as it was. Optional files that were left out are no fault.
  // Errors: kDataLoss naming the first file whose hash differs, with both hashes; kNotFound, kPermissionDenied;
  // kCancelled.
  absl::Status Verify(const std::stop_token& stop = {}) const;

  const Manifest& manifest() const { return manifest_; }
  // The manifest's precisions whose files are here: an installation may have left the optional ones out.
  const std::vector<std::string>& precisions() const { return precisions_; }
  bool HasPrecision(std::string_view precision) const;
  // Canonical path of the directory as it was when opened.
  const std::filesystem::path& directory() const { return directory_; }
  // tokenizer.bin, mapped for the life of the package.
  std::span<const std::byte> tokenizer() const { return tokenizer_.bytes(); }

 private:
  Package() = default;
  std::filesystem::path directory_;
  Manifest manifest_;
  std::vector<std::string> precisions_;
  MappedFile tokenizer_;
};

}  // namespace ks
