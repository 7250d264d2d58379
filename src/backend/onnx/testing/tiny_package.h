// Test support: a package, converted from the tiny checkpoint.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/temp_directory.h"
#include "convert/convert.h"
#include "convert/testing/tiny_checkpoint.h"
#include "gtest/gtest.h"

namespace ks {

// In a directory of its own, removed at the end; dense layers of `fp32_layers` stay in fp32 (ConvertOptions). A failure is
// one of the test's.
class TinyPackage {
 public:
  explicit TinyPackage(std::vector<std::string> fp32_layers = {}) {
    const absl::Status written = WriteTinyCheckpoint(directory_ / "checkpoint");
    EXPECT_TRUE(written.ok()) << written;
    ConvertOptions options;
    options.checkpoint_dir = directory_ / "checkpoint";
    options.output_dir = path();
    options.fp32_layers = std::move(fp32_layers);
    const auto report = Convert(options);
    EXPECT_TRUE(report.ok()) << report.status();
  }

  std::filesystem::path path() const { return directory_ / "package"; }
  std::filesystem::path beside(const char* name) const { return directory_ / name; }

 private:
  TempDirectory directory_;
};

}  // namespace ks
