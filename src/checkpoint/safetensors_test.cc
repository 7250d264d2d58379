#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace ks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string File(std::string_view header, std::string_view data) {
  const uint64_t size = header.size();
  std::string file(reinterpret_cast<const char*>(&size), sizeof(size));
  return file.append(header).append(data);
}

std::span<const std::byte> Bytes(const std::string& file) { return std::as_bytes(std::span(file)); }

constexpr std::string_view kTwoTensors =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},)"
    R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}} )";

std::string ErrorOf(const std::string& file) {
  const auto tensors = ReadSafetensors(Bytes(file), "m.safetensors");
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kDataLoss) << tensors.status();
  EXPECT_THAT(tensors.status().message(), HasSubstr("m.safetensors: "));
  return std::string(tensors.status().message());
}

std::string ErrorOfHeader(std::string_view header, size_t data_bytes) {
  return ErrorOf(File(header, std::string(data_bytes, 'x')));
}

TEST(ReadSafetensors, ReturnsViewsInTheOrderOfTheBytes) {
  const std::string file = File(kTwoTensors, "01234567abcd");
  const auto tensors = ReadSafetensors(Bytes(file), "m.safetensors");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2u);
  const TensorView& first = (*tensors)[0];
  EXPECT_EQ(first.name, "a");
  EXPECT_EQ(first.dtype, DType::kF32);
  EXPECT_THAT(first.shape, ElementsAre(1, 2));
  EXPECT_EQ(std::memcmp(first.bytes.data(), "01234567", 8), 0);
  EXPECT_EQ((*tensors)[1].name, "b");
  EXPECT_EQ(reinterpret_cast<const char*>((*tensors)[1].bytes.data()), file.data() + file.size() - 4) << "copied";
}

TEST(ReadSafetensors, TakesScalarsAndEmptyTensors) {
  const std::string file = File(R"({"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                                R"("e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}})",
                                "12345678");
  const auto tensors = ReadSafetensors(Bytes(file), "m.safetensors");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ((*tensors)[0].name, "e");
  EXPECT_EQ((*tensors)[1].bytes.size(), 8u);
}

TEST(ReadSafetensors, FailsWhereverTheFileIsCut) {
  const std::string whole = File(kTwoTensors, "01234567abcd");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(ErrorOf(whole.substr(0, size)), "");
  EXPECT_THAT(ErrorOf(whole.substr(0, 7)), HasSubstr("7 bytes, a safetensors file begins with 8"));
  EXPECT_THAT(ErrorOf(whole.substr(0, 50)), HasSubstr("in a file of 50: it is truncated"));
  EXPECT_THAT(ErrorOf(whole.substr(0, whole.size() - 1)),
              HasSubstr("b: ends at byte 12 of the data, the file holds 11: it is truncated"));
}

TEST(ReadSafetensors, FailsOnAHeaderOfAbsurdLength) {
  std::string file = File("{}", "");
  std::memset(file.data(), 0xFF, 8);
  EXPECT_THAT(ErrorOf(file), HasSubstr("header of 18446744073709551615 bytes, at most 100000000"));
}

TEST(ReadSafetensors, FailsOnOverlapsGapsAndBytesAtTheEnd) {
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                            7),
              HasSubstr("b: begins at byte 3 of the data and overlaps a, which ends at 4"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})",
                            9),
              HasSubstr("b: begins at byte 5 of the data, expected 4, where a ends"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 6),
              HasSubstr("2 bytes after the last tensor"));
}

TEST(ReadSafetensors, FailsWhereSizesContradict) {
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
              HasSubstr("a: shape [2] of F32 needs 8 bytes, data_offsets hold 4"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
              HasSubstr("more bytes than can be counted"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1),
              HasSubstr("a: shape [3] of F4"));
}

TEST(ReadSafetensors, FailsOnHeadersThatAreNotTheFormats) {
  EXPECT_THAT(ErrorOfHeader("not json", 0), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOfHeader("[]", 0), HasSubstr("expected an object"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), HasSubstr("a.dtype: missing"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4),
              HasSubstr("a.dtype: expected"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), HasSubstr("a.shape[0]"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4),
              HasSubstr("found 1 numbers"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
              HasSubstr("a.data_offsets[1]"));
  EXPECT_THAT(ErrorOfHeader(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                            R"("a":{"dtype":"U8","shape":[],"data_offsets":[1,2]}})",
                            2),
              HasSubstr("twice"));
}

TEST(PlanSafetensors, PutsWholePagesOnPages) {
  const std::vector<TensorDescription> tensors = {{"bias", DType::kF32, {16}},
                                                  {"first", DType::kU8, {8192}},
                                                  {"odd", DType::kF32, {3}},
                                                  {"second", DType::kF16, {2048}}};
  const SafetensorsPlan plan = PlanSafetensors(tensors);
  std::vector<size_t> order;
  for (const TensorPlace& place : plan.places) order.push_back(place.index);
  EXPECT_EQ(order, (std::vector<size_t>{1, 3, 0, 2}));
  EXPECT_EQ(plan.header.size() % 4096, 0u);
  EXPECT_EQ(plan.places[0].file_offset, plan.header.size());
  EXPECT_EQ(plan.places[1].file_offset, plan.header.size() + 8192);
}

TEST(PlanSafetensors, ReadsBackWithAlignedTensors) {
  const std::vector<TensorDescription> tensors = {
      {"odd", DType::kF32, {3}}, {"big", DType::kF32, {16, 4}}, {"half", DType::kF16, {32}}};
  const SafetensorsPlan plan = PlanSafetensors(tensors);
  ASSERT_EQ(plan.places.size(), 3u);
  EXPECT_EQ(plan.file_bytes, plan.header.size() + 256 + 64 + 12);
  EXPECT_EQ(plan.places.back().index, 0u) << "a tensor of 12 bytes goes last";

  std::string file = plan.header;
  for (const TensorPlace& place : plan.places) {
    EXPECT_EQ(place.file_offset % 64, 0u) << tensors[place.index].name;
    EXPECT_EQ(place.file_offset, file.size());
    file.append(place.bytes, static_cast<char>('0' + place.index));
  }
  const auto read = ReadSafetensors(Bytes(file), "m.safetensors");
  ASSERT_TRUE(read.ok()) << read.status();
  for (size_t i = 0; i < read->size(); ++i) {
    const size_t index = plan.places[i].index;
    EXPECT_EQ((*read)[i].name, tensors[index].name);
    EXPECT_EQ((*read)[i].shape, tensors[index].shape);
    EXPECT_EQ(static_cast<char>((*read)[i].bytes[0]), static_cast<char>('0' + index));
  }
}

}  // namespace
}  // namespace ks
