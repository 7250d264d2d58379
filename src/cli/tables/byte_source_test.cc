#include "cli/tables/byte_source.h"

#include <lzma.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temp_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {
using testing::HasSubstr;

std::string Gzip(const std::string& text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Xz(const std::string& text) {
  std::string out(text.size() + 1024, '\0');
  size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t*>(text.data()),
                                    text.size(), reinterpret_cast<uint8_t*>(out.data()), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

absl::StatusOr<std::string> ReadAll(ByteSource& source, size_t piece = 1000) {
  std::string all;
  std::vector<char> buffer(piece);
  while (true) {
    const auto count = source.Read(buffer);
    if (!count.ok()) return count.status();
    if (*count == 0) return all;
    all.append(buffer.data(), *count);
  }
}

// Long enough for several buffers, not too easy to compress.
std::string LongText() {
  std::string text;
  uint32_t state = 1;
  for (int i = 0; i < 300000; ++i) {
    state = state * 1664525 + 1013904223;
    text.push_back(static_cast<char>('a' + (state >> 24) % 26));
  }
  return text;
}

struct Compression {
  std::string (*compress)(const std::string&);
  std::string name;
};

class ByteSourceCompressed : public testing::TestWithParam<Compression> {};

TEST_P(ByteSourceCompressed, ReadsThrough) {
  const std::string text = LongText();
  for (const size_t piece : {1u, 1000u, 1u << 20}) {
    const auto source = MemoryByteSource(GetParam().compress(text), GetParam().name);
    const auto all = ReadAll(*source, piece);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(*all == text);
    EXPECT_EQ(source->bytes_read(), source->total_bytes());
  }
}

TEST_P(ByteSourceCompressed, ReadsConcatenatedMembers) {
  const auto source = MemoryByteSource(
      GetParam().compress("one ") + GetParam().compress("") + GetParam().compress("two"), GetParam().name);
  EXPECT_EQ(*ReadAll(*source), "one two");
}

TEST_P(ByteSourceCompressed, EndingEarlyIsDataLossNamingTheFile) {
  const std::string whole = GetParam().compress(LongText());
  for (const size_t missing : {size_t{1}, size_t{6}, whole.size() / 2, whole.size() - 1}) {
    const auto all = ReadAll(*MemoryByteSource(whole.substr(0, whole.size() - missing), GetParam().name));
    EXPECT_EQ(all.status().code(), absl::StatusCode::kDataLoss) << missing;
    EXPECT_THAT(std::string(all.status().message()),
                testing::AllOf(HasSubstr(GetParam().name), HasSubstr("ends early")))
        << missing;
  }
}

TEST_P(ByteSourceCompressed, DamageIsDataLossNamingTheFile) {
  std::string damaged = GetParam().compress(LongText());
  damaged[damaged.size() / 2] ^= 0x10;
  const auto in_the_middle = ReadAll(*MemoryByteSource(damaged, GetParam().name));
  EXPECT_EQ(in_the_middle.status().code(), absl::StatusCode::kDataLoss);
  const auto not_compressed = ReadAll(*MemoryByteSource("plain text, not compressed at all", GetParam().name));
  EXPECT_EQ(not_compressed.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(not_compressed.status().message()),
              testing::AllOf(HasSubstr(GetParam().name), HasSubstr("damaged")));
}

INSTANTIATE_TEST_SUITE_P(Formats, ByteSourceCompressed,
                         testing::Values(Compression{&Gzip, "rows.csv.gz"}, Compression{&Xz, "rows.csv.xz"}),
                         [](const auto& param) { return param.param.name.substr(9); });

TEST(ByteSource, ReadsAFileAndKnowsItsSize) {
  const TempDirectory directory;
  const std::filesystem::path path = directory / "rows.txt";
  std::ofstream(path) << "content";
  const auto source = OpenByteSource(path.string());
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->total_bytes(), 7);
  EXPECT_EQ(*ReadAll(**source), "content");
  EXPECT_EQ((*source)->bytes_read(), 7);
}

TEST(ByteSource, NamesWhatItCannotOpen) {
  const auto missing = OpenByteSource("/nonexistent/rows.csv");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/nonexistent/rows.csv"));
  const auto directory = OpenByteSource(testing::TempDir());
  EXPECT_EQ(directory.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(directory.status().message()), HasSubstr("directory"));
}

TEST(ByteSource, StripsTheCompressionFromANameOnce) {
  EXPECT_EQ(WithoutCompression("a.csv.gz"), "a.csv");
  EXPECT_EQ(WithoutCompression("a.csv.xz"), "a.csv");
  EXPECT_EQ(WithoutCompression("a.csv"), "a.csv");
}

}  // namespace
}  // namespace ks
