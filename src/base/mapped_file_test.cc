#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace ks {
namespace {

using ::testing::HasSubstr;

std::filesystem::path WriteTemp(const std::string& name, std::string_view content) {
  const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

TEST(MappedFile, GivesTheBytes) {
  const auto file = MappedFile::Open(WriteTemp("mapped_file_test.txt", "hello"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->text(), "hello");
}

TEST(MappedFile, TakesAnEmptyFile) {
  const auto file = MappedFile::Open(WriteTemp("mapped_file_empty.txt", ""));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->size(), 0u);
}

TEST(MappedFile, MovesItsMapping) {
  auto file = MappedFile::Open(WriteTemp("mapped_file_move.txt", "moved"));
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
  const auto path = WriteTemp("read_file_test.txt", "12345");
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  EXPECT_THAT(std::string(ReadFile(path, 4).status().message()), HasSubstr("5 bytes, at most 4 are read"));
}

}  // namespace
}  // namespace ks
