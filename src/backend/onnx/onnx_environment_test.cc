#include "backend/onnx/onnx_environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "backend/onnx/ort.h"

namespace ks {
namespace {

TEST(OnnxEnvironment, IsTheOneThatSessionsShare) {
  unsetenv("ORT_DISABLE_TELEMETRY");
  OnnxEnvironment ahead;
  EXPECT_STREQ(std::getenv("ORT_DISABLE_TELEMETRY"), "1") << "before its thread runs";
  ahead.Wait();
  const auto shared = AcquireOrtEnvironment();
  ASSERT_TRUE(shared.ok()) << shared.status();
  const OnnxEnvironment::Times times = ahead.Finish();
  EXPECT_GE(shared->use_count(), 2) << "kept by its owner, too";
  EXPECT_GT(times.environment, Duration(0));
  EXPECT_GT(times.kernels, Duration(0)) << "the model of one node was refused";
}

}  // namespace
}  // namespace ks
