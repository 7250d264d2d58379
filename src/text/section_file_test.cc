#include "text/section_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string SmallFile() {
  SectionWriter section;
  section.Value<uint32_t>(7).Text("abc").Array(std::span<const uint64_t>(std::array<uint64_t, 2>{1, 2}));
  SectionFileWriter file;
  file.Add(SectionId::kDecoder, section);
  return file.Finish();
}

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string MessageOf(const absl::Status& status) { return std::string(ToStd(status.message())); }

TEST(SectionFile, GivesBackWhatWasWritten) {
  const std::string bytes = SmallFile();
  const auto file = SectionFile::Open(Bytes(bytes));
  ASSERT_TRUE(file.ok()) << file.status();
  auto section = file->Find(SectionId::kDecoder);
  ASSERT_TRUE(section.ok()) << section.status();
  EXPECT_EQ(section->Value<uint32_t>(), 7u);
  EXPECT_EQ(section->Text(), "abc");
  EXPECT_THAT(section->Array<uint64_t>(), ElementsAre(1, 2));
  EXPECT_TRUE(section->Finish().ok()) << section->Finish();
}

TEST(SectionFile, SaysWhatIsMissing) {
  const std::string bytes = SmallFile();
  const auto section = SectionFile::Open(Bytes(bytes))->Find(SectionId::kWordPiece);
  EXPECT_EQ(section.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(section.status()), HasSubstr("wordpiece: missing"));
}

TEST(SectionFile, RefusesEveryPrefix) {
  const std::string bytes = SmallFile();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(SectionFile::Open(Bytes(bytes).first(size)).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(SectionFile, NamesBothVersions) {
  std::string bytes = SmallFile();
  bytes[8] = 9;
  const absl::Status status = SectionFile::Open(Bytes(bytes)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("format version 9, this program reads 1"));
}

TEST(SectionFile, RefusesASectionOutsideTheFile) {
  std::string bytes = SmallFile();
  bytes[24 + 16] = '\x7F';  // the size of the first section
  const absl::Status status = SectionFile::Open(Bytes(bytes)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("decoder: lies outside the file"));
}

TEST(SectionReader, FailsOnceAndForAllAtTheEnd) {
  SectionWriter writer;
  writer.Value<uint64_t>(1000);  // the count of an array that is not there
  SectionReader reader(SectionId::kVocabulary, Bytes(writer.bytes()));
  EXPECT_TRUE(reader.Array<uint32_t>().empty());
  EXPECT_EQ(reader.Value<uint32_t>(), 0u);
  EXPECT_EQ(reader.Finish().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(reader.Finish()), HasSubstr("tokenizer.bin: vocabulary: ends early"));
}

TEST(SectionReader, RefusesWhatIsLeftOver) {
  SectionWriter writer;
  writer.Value<uint32_t>(1).Value<uint32_t>(2);
  SectionReader reader(SectionId::kVocabulary, Bytes(writer.bytes()));
  reader.Value<uint32_t>();
  EXPECT_THAT(MessageOf(reader.Finish()), HasSubstr("4 bytes too many"));
}

}  // namespace
}  // namespace ks
