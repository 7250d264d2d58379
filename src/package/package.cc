#include "package/package.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace ks {
namespace {

namespace fs = std::filesystem;

absl::Status NotAPackage(const fs::path& directory) {
  std::error_code ignored;
  const bool checkpoint = fs::exists(directory / "config.json", ignored);
  const bool empty = fs::is_empty(directory, ignored);
  return NotFound(directory.string(), ": not a model package: no ", kManifestFile,
                  checkpoint ? ", but a config.json: this looks like a checkpoint"
                  : empty    ? ", the directory is empty"
                             : "",
                  "; `kubesentiment convert CHECKPOINT --output DIR` makes a package");
}

// The directory that really holds the files. In a Kubernetes volume each file is a link into `..data`, itself a link
// that moves with an update: through the manifest's own place all files come from one version.
absl::StatusOr<fs::path> FindFiles(const fs::path& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  if (error) return ErrnoStatus(error.value(), directory.string());
  if (!fs::is_directory(real, error)) return NotFound(directory.string(), ": expected a directory, found a file");
  const fs::path manifest = fs::canonical(real / kManifestFile, error);
  if (error == std::errc::no_such_file_or_directory) return NotAPackage(directory);
  if (error) return ErrnoStatus(error.value(), (directory / kManifestFile).string());
  const bool moved =
      manifest.filename() == kManifestFile && fs::exists(manifest.parent_path() / kTokenizerBinFile, error);
  return moved ? manifest.parent_path() : real;
}

absl::StatusOr<Manifest> ReadManifest(const fs::path& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxManifestBytes);
  absl::StatusOr<Manifest> manifest = text.ok() ? ManifestFromJson(*text, path.string()) : text.status();
  if (absl::IsInvalidArgument(manifest.status())) return WithCode(manifest.status(), absl::StatusCode::kDataLoss);
  return manifest;
}

absl::Status CheckFile(const fs::path& directory, const PackageFile& file) {
  const fs::path path = directory / file.name;
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    if (file.optional) return absl::OkStatus();
    return NotFound(path.string(), ": missing, expected ", file.size_bytes, " bytes by ", kManifestFile);
  }
  if (error) return ErrnoStatus(error.value(), path.string());
  if (size != static_cast<uintmax_t>(file.size_bytes)) {
    return DataLoss(path.string(), ": expected ", file.size_bytes, " bytes by ", kManifestFile, ", found ", size);
  }
  return absl::OkStatus();
}

// What a backend opens for a precision.
std::vector<std::string_view> FilesOf(std::string_view precision) {
  if (precision == "int8") return {kInt8WeightsFile, kInt8GraphFile};
  return {kWeightsFile, kFp32GraphFile};
}

// What the manifest must name for this program to serve the package.
absl::Status CheckNeeded(const Manifest& manifest, const fs::path& manifest_path) {
  std::vector<std::string_view> needed = {kTokenizerJsonFile, kTokenizerBinFile};
  for (const std::string& precision : manifest.precisions) {
    const std::vector<std::string_view> files = FilesOf(precision);
    needed.insert(needed.end(), files.begin(), files.end());
  }
  for (const std::string_view name : needed) {
    const bool found = std::any_of(manifest.files.begin(), manifest.files.end(),
                                   [&](const PackageFile& file) { return file.name == name; });
    if (!found) return DataLoss(manifest_path.string(), ": files: expected ", name, " among them");
  }
  return absl::OkStatus();
}

// The precisions whose files are there; the others' are optional, which CheckFile has seen.
std::vector<std::string> PrecisionsIn(const fs::path& directory, const Manifest& manifest) {
  std::vector<std::string> precisions;
  for (const std::string& precision : manifest.precisions) {
    const std::vector<std::string_view> files = FilesOf(precision);
    const bool whole = std::all_of(files.begin(), files.end(), [&](std::string_view file) {
      std::error_code ignored;
      return fs::exists(directory / file, ignored);
    });
    if (whole) precisions.push_back(precision);
  }
  return precisions;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Package>> Package::Open(const fs::path& directory) {
  std::shared_ptr<Package> package(new Package());
  KS_ASSIGN_OR_RETURN(package->directory_, FindFiles(directory));
  const fs::path manifest_path = package->directory_ / kManifestFile;
  KS_ASSIGN_OR_RETURN(package->manifest_, ReadManifest(manifest_path));
  KS_RETURN_IF_ERROR(CheckNeeded(package->manifest_, manifest_path));
  for (const PackageFile& file : package->manifest_.files) {
    KS_RETURN_IF_ERROR(CheckFile(package->directory_, file));
  }
  package->precisions_ = PrecisionsIn(package->directory_, package->manifest_);
  if (package->precisions_.empty()) {
    return NotFound(package->directory_.string(), ": expected the files of ",
                    absl::StrJoin(package->manifest_.precisions, " or "), ", found neither's");
  }
  KS_ASSIGN_OR_RETURN(package->tokenizer_, MappedFile::Open(package->directory_ / kTokenizerBinFile));
  return package;
}

bool Package::HasPrecision(std::string_view precision) const {
  return std::find(precisions_.begin(), precisions_.end(), precision) != precisions_.end();
}

absl::Status Package::Verify(const std::stop_token& stop) const {
  for (const PackageFile& file : manifest_.files) {
    const fs::path path = directory_ / file.name;
    const absl::StatusOr<std::string> found = Sha256HexOfFile(path, stop);
    if (file.optional && absl::IsNotFound(found.status())) continue;
    KS_RETURN_IF_ERROR(found.status());
    if (*found != file.sha256) {
      return DataLoss(path.string(), ": expected sha256 ", file.sha256, " by ", kManifestFile, ", found ", *found);
    }
  }
  return absl::OkStatus();
}

}  // namespace ks
