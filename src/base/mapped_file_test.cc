#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/testing/temp_directory.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

// A file in a directory of its own, removed with the object.
struct TempFile {
  TempDirectory directory;
  std::filesystem::path path = directory / "content";

  explicit TempFile(std::string_view content) { std::ofstream(path, std::ios::binary) << content; }
};

TEST(MappedFile, GivesTheBytes) {
  const TempFile temp("hello");
  const auto file = MappedFile::Open(temp.path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->text(), "hello");
}

TEST(MappedFile, TakesAnEmptyFile) {
  const TempFile temp("");
  const auto file = MappedFile::Open(temp.path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->size(), 0u);
}

TEST(MappedFile, MovesItsMapping) {
  const TempFile temp("moved");
  auto file = MappedFile::Open(temp.path);
  MappedFile other;
  other = *std::move(file);
  EXPECT_EQ(other.text(), "moved");
}

TEST(MappedFile, NamesTheMissingFile) {
  const auto file = MappedFile::Open("/nonexistent/model.safetensors");
  EXPECT_EQ(file.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("/nonexistent/model.safetensors: No such file"));
}

TEST(MappedFile, RefusesADirectory) {
  const auto file = MappedFile::Open(::testing::TempDir());
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("not a regular file"));
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const TempFile temp("12345");
  EXPECT_EQ(*ReadFile(temp.path, 5), "12345");
  EXPECT_THAT(std::string(ReadFile(temp.path, 4).status().message()), HasSubstr("5 bytes, at most 4 are read"));
}

}  // namespace
}  // namespace ks
