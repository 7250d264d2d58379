#include "package/testing_package.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "package/package.h"
#include "package/writer.h"

namespace ks {

absl::Status WriteTestPackage(const std::filesystem::path& target, const std::string& content, StagingOptions options,
                              std::vector<std::string> precisions) {
  KS_ASSIGN_OR_RETURN(PackageWriter writer, PackageWriter::Create(target, std::move(options)));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(content));
  const bool int8 = std::find(precisions.begin(), precisions.end(), "int8") != precisions.end();
  for (const char* name : {kTokenizerJsonFile, kTokenizerBinFile}) KS_RETURN_IF_ERROR(writer.AddFile(name, bytes));
  for (const char* name : {kWeightsFile, kFp32GraphFile}) {
    KS_RETURN_IF_ERROR(writer.AddFile(name, bytes, /*optional=*/int8));
  }
  if (int8) {
    for (const char* name : {kInt8WeightsFile, kInt8GraphFile}) KS_RETURN_IF_ERROR(writer.AddFile(name, bytes));
  }
  KS_RETURN_IF_ERROR(writer.AddFile(kPortableGraphFile, bytes, /*optional=*/true));
  Manifest manifest;
  manifest.name = "test";
  manifest.spec.encoder = {
      .vocab_size = 5, .hidden_size = 4, .intermediate_size = 8, .layers = 1, .heads = 2, .max_positions = 8};
  manifest.spec.labels = {"NO", "YES"};
  manifest.window = 8;
  manifest.precisions = std::move(precisions);
  manifest.source_sha256 = std::string(64, '0');
  KS_RETURN_IF_ERROR(writer.Finish(std::move(manifest)));
  return writer.Publish();
}

}  // namespace ks
