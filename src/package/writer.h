// Writes a package, whole or not at all.
//
//   KS_ASSIGN_OR_RETURN(PackageWriter writer, PackageWriter::Create("models/x", {}));
//   KS_RETURN_IF_ERROR(writer.AddFile(kTokenizerJsonFile, bytes));
//   KS_RETURN_IF_ERROR(writer.Finish(manifest));   // writer.directory() is a package now
//   KS_RETURN_IF_ERROR(writer.Publish());          // and now it is in place
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/replace_directory.h"
#include "package/manifest.h"

namespace ks {

// Takes the next bytes of a file.
using ByteSink = std::function<absl::Status(std::span<const std::byte>)>;

class PackageWriter {
 public:
  // options.replace allows to replace what is at `target`: a package, or an empty directory.
  //
  // Errors: as StagedDirectory::Create; kFailedPrecondition where the directory that would be replaced is not a
  // package.
  static absl::StatusOr<PackageWriter> Create(const std::filesystem::path& target, StagingOptions options);

  // Where the files are until Publish.
  const std::filesystem::path& directory() const { return staged_.path(); }

  // Writes and flushes one file; `optional` as PackageFile's. The second form calls `produce` once, which passes the
  // bytes in pieces to the sink. Errors: of `produce`; as StagedFile.
  absl::Status AddFile(std::string_view name, std::span<const std::byte> bytes, bool optional = false);
  absl::Status AddFile(std::string_view name, const std::function<absl::Status(const ByteSink&)>& produce,
                       bool optional = false);

  // Writes manifest.json, last: `manifest` with `files` made from what was added, sorted by name.
  // Errors: kInvalidArgument where the manifest could not be read back (its field is named); as AddFile.
  absl::Status Finish(Manifest manifest);

  // Puts the package in place. Errors: as StagedDirectory::Publish.
  absl::Status Publish() { return staged_.Publish(); }

 private:
  explicit PackageWriter(StagedDirectory staged) : staged_(std::move(staged)) {}

  StagedDirectory staged_;
  std::vector<PackageFile> files_;
};

}  // namespace ks
