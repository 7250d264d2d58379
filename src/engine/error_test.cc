#include "engine/error.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace ks {
namespace {

TEST(EngineError, CarriesItsCodeThroughTheStatus) {
  struct Case {
    ErrorCode code;
    absl::StatusCode status;
  };
  for (const Case& c : {Case{ErrorCode::kInvalidInput, absl::StatusCode::kInvalidArgument},
                        Case{ErrorCode::kTextTooLong, absl::StatusCode::kInvalidArgument},
                        Case{ErrorCode::kTextEmpty, absl::StatusCode::kInvalidArgument},
                        Case{ErrorCode::kBatchTooBig, absl::StatusCode::kInvalidArgument},
                        Case{ErrorCode::kBatchEmpty, absl::StatusCode::kInvalidArgument},
                        Case{ErrorCode::kUnknownPrediction, absl::StatusCode::kNotFound},
                        Case{ErrorCode::kModelNotLoaded, absl::StatusCode::kUnavailable},
                        Case{ErrorCode::kInferenceFailed, absl::StatusCode::kInternal},
                        Case{ErrorCode::kDeadlinePassed, absl::StatusCode::kDeadlineExceeded},
                        Case{ErrorCode::kUnsupportedBackend, absl::StatusCode::kInvalidArgument},
                        Case{ErrorCode::kQueueFull, absl::StatusCode::kResourceExhausted},
                        Case{ErrorCode::kDraining, absl::StatusCode::kUnavailable},
                        Case{ErrorCode::kInternal, absl::StatusCode::kInternal}}) {
    const absl::Status status = MakeError(c.code, "why");
    EXPECT_EQ(CodeOf(status), c.code);
    EXPECT_EQ(status.code(), c.status);
    EXPECT_EQ(status.message(), "why");
    EXPECT_EQ(RetryAfterOf(status), std::nullopt);
  }
}

TEST(EngineError, KeepsItsCodeInAWiderContext) {
  const absl::Status status = WithContext(MakeError(ErrorCode::kDraining, "going away"), "request 7");
  EXPECT_EQ(CodeOf(status), ErrorCode::kDraining);
  EXPECT_EQ(status.message(), "request 7: going away");
}

TEST(EngineError, IsInternalForAnyOtherStatus) {
  EXPECT_EQ(CodeOf(InvalidArgument("from elsewhere")), ErrorCode::kInternal);
}

TEST(EngineError, TellsWhenToComeBackToAFullQueueButNeverSoonerThanASecond) {
  EXPECT_EQ(RetryAfterOf(MakeQueueFull("full", std::chrono::seconds(7))), std::chrono::seconds(7));
  EXPECT_EQ(RetryAfterOf(MakeQueueFull("full", std::chrono::seconds(0))), std::chrono::seconds(1));
  EXPECT_EQ(CodeOf(MakeQueueFull("full", std::chrono::seconds(7))), ErrorCode::kQueueFull);
}

}  // namespace
}  // namespace ks
