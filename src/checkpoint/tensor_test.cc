#include "checkpoint/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace ks {
namespace {

using ::testing::HasSubstr;

template <typename T>
TensorView View(DType dtype, const std::vector<T>& elements) {
  return {.name = "classifier.weight",
          .file = "model.safetensors",
          .dtype = dtype,
          .shape = {static_cast<int64_t>(elements.size())},
          .bytes = std::as_bytes(std::span(elements))};
}

// The value of a finite half by its definition.
double HalfValue(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int fraction = half & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

TEST(ToFloat32, WidensEveryFiniteHalfExactly) {
  std::vector<uint16_t> halves;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7C00) != 0x7C00) halves.push_back(static_cast<uint16_t>(bits));
  }
  std::vector<float> values(halves.size());
  ASSERT_TRUE(ToFloat32(View(DType::kF16, halves), 0, values).ok());
  for (size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ(values[i], HalfValue(halves[i])) << halves[i];
    ASSERT_EQ(std::signbit(values[i]), (halves[i] & 0x8000) != 0) << halves[i];
  }
}

TEST(ToFloat32, WidensEveryFiniteBF16Exactly) {
  std::vector<uint16_t> numbers;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7F80) != 0x7F80) numbers.push_back(static_cast<uint16_t>(bits));
  }
  std::vector<float> values(numbers.size());
  ASSERT_TRUE(ToFloat32(View(DType::kBF16, numbers), 0, values).ok());
  for (size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), uint32_t{numbers[i]} << 16);
}

TEST(ToFloat32, CopiesF32FromAnyAlignment) {
  const std::vector<float> numbers = {1.5f, -0.0f, 1e-42f, 3.4e38f};
  std::vector<std::byte> shifted(4 * numbers.size() + 1);
  std::memcpy(shifted.data() + 1, numbers.data(), 4 * numbers.size());
  TensorView view = View(DType::kF32, numbers);
  view.bytes = std::span(shifted).subspan(1);
  std::vector<float> values(numbers.size());
  ASSERT_TRUE(ToFloat32(view, 0, values).ok());
  EXPECT_EQ(values, numbers);
}

TEST(ToFloat32, RefusesWhatIsNotFinite) {
  std::vector<float> values(3);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const absl::Status status = ToFloat32(View(DType::kF32, std::vector<float>{0, bad, 0}), 0, values);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("model.safetensors: classifier.weight: element 1 of 3 is a NaN"));
  }
  for (const uint16_t bad : {0x7C00, 0xFC00, 0x7E01}) {
    const absl::Status status = ToFloat32(View(DType::kF16, std::vector<uint16_t>{0, 0, bad}), 0, values);
    EXPECT_THAT(status.message(), HasSubstr("element 2 of 3")) << bad;
  }
  for (const uint16_t bad : {0x7F80, 0xFF80, 0x7FC1}) {
    const absl::Status status = ToFloat32(View(DType::kBF16, std::vector<uint16_t>{bad, 0, 0}), 0, values);
    EXPECT_THAT(status.message(), HasSubstr("element 0 of 3")) << bad;
  }
}

TEST(ToFloat32, ReadsFromTheMiddle) {
  const std::vector<uint16_t> numbers = {0x3F80, 0x4000, 0x4080, 0x7F80};  // 1, 2, 4, infinity
  const TensorView view = View(DType::kBF16, numbers);
  std::vector<float> values(2);
  ASSERT_TRUE(ToFloat32(view, 1, values).ok());
  EXPECT_EQ(values, (std::vector<float>{2, 4}));
  EXPECT_THAT(ToFloat32(view, 2, values).message(), HasSubstr("element 3 of 4"));
}

TEST(ToFloat32, RefusesOtherTypes) {
  std::vector<float> values(2);
  const absl::Status status = ToFloat32(View(DType::kI64, std::vector<int64_t>{1, 2}), 0, values);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "model.safetensors: classifier.weight: expected weights of F32, F16 or BF16, found I64");
}

TEST(DType, NamesReadBack) {
  for (const char* name : {"BOOL", "F4", "F8_E4M3", "F16", "BF16", "F32", "F64", "I64"}) {
    const auto dtype = DTypeFromName(name);
    ASSERT_TRUE(dtype) << name;
    EXPECT_EQ(DTypeName(*dtype), name);
  }
  EXPECT_EQ(DTypeBits(DType::kBF16), 16);
  EXPECT_FALSE(DTypeFromName("f32"));
}

}  // namespace
}  // namespace ks
