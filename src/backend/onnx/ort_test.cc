#include "backend/onnx/ort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace ks {
namespace {

using ::testing::HasSubstr;

absl::Status StatusOf(OrtErrorCode code, const char* message) {
  return ToStatus(Ort().CreateStatus(code, message), "model.onnx");
}

TEST(AcquireOrtEnvironment, SharesOneAndTurnsTelemetryOff) {
  const auto first = AcquireOrtEnvironment();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_STREQ(std::getenv("ORT_DISABLE_TELEMETRY"), "1");
  const auto second = AcquireOrtEnvironment();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->get(), second->get());
}

TEST(ToStatus, GivesOkForNull) { EXPECT_TRUE(ToStatus(nullptr, "x").ok()); }

TEST(ToStatus, PutsTheCallBeforeTheRuntimesText) {
  EXPECT_THAT(std::string(StatusOf(ORT_FAIL, "some text").message()), HasSubstr("model.onnx: some text"));
}

TEST(ToStatus, TellsMissingDamagedAndOtherFailuresApart) {
  EXPECT_EQ(StatusOf(ORT_NO_SUCHFILE, "x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StatusOf(ORT_INVALID_PROTOBUF, "x").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(StatusOf(ORT_INVALID_GRAPH, "x").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(StatusOf(ORT_FAIL, "x").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(StatusOf(ORT_RUNTIME_EXCEPTION, "x").code(), absl::StatusCode::kInternal);
}

TEST(ToStatus, KnowsMemoryThatRanOutByItsWords) {
  EXPECT_EQ(StatusOf(ORT_RUNTIME_EXCEPTION, "std::bad_alloc").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(StatusOf(ORT_FAIL, "node: Failed to allocate memory for requested buffer of size 12").code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace ks
