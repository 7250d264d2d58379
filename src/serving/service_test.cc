#include "serving/service.h"

#include "base/uuid.h"
#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serving/testing/world.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

void ExpectError(const absl::Status& status, ErrorCode code, const std::string& part) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(CodeOf(status), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(Service, IsReadyOnceWarmAndUntilItDrains) {
  FakeEngine engine;
  Metrics metrics;
  ManualClock clock;
  Service service(engine, metrics.AddModel({"tiny", {"A"}, {"onnx"}}), TinyModel(), {}, clock);
  ExpectError(service.Ready(), ErrorCode::kModelNotLoaded, "not loaded yet");
  ExpectError(service.Precheck(TimePoint::max()), ErrorCode::kModelNotLoaded, "not loaded yet");
  EXPECT_TRUE(service.Live().ok());
  service.SetReady();
  EXPECT_TRUE(service.Ready().ok());
  EXPECT_TRUE(service.Precheck(TimePoint::max()).ok());
  service.BeginDrain();
  ExpectError(service.Ready(), ErrorCode::kDraining, "draining");
  EXPECT_TRUE(service.Precheck(TimePoint::max()).ok()) << "requests are still taken";
}

TEST(Service, IsUnreadyWithItsReason) {
  World world;
  world.service.SetUnready("model.safetensors: its hash differs");
  ExpectError(world.service.Ready(), ErrorCode::kModelNotLoaded, "model.safetensors");
  EXPECT_TRUE(world.service.Live().ok());
}

TEST(Service, IsNotLiveWithAStalledWorker) {
  World world;
  world.engine.SetState({.stalled = true});
  ExpectError(world.service.Live(), ErrorCode::kModelNotLoaded, "30 s (stall-timeout)");
  EXPECT_FALSE(world.service.Ready().ok());
}

TEST(Service, NamesTheServedBackends) {
  World world;
  EXPECT_TRUE(world.service.CheckBackend("onnx").ok());
  ExpectError(world.service.CheckBackend("pytorch"), ErrorCode::kUnsupportedBackend, "onnx alone");
  ExpectError(world.service.CheckBackend(""), ErrorCode::kUnsupportedBackend, "onnx alone");
}

class FeedbackTest : public ::testing::Test {
 protected:
  // A prediction answered POSITIVE.
  std::string Predict() {
    Classification result;
    result.scores = {{2, 0.9f}};
    return world_.service.RememberPrediction(result, "onnx");
  }
  std::optional<double> Accuracy() {
    return world_.Sample(R"(ml_prediction_accuracy_score{backend="onnx",model="tiny"})");
  }
  World world_;
};

TEST_F(FeedbackTest, CountsARememberedPredictionOnce) {
  const std::string id = Predict();
  const auto first = world_.service.AddFeedback({.prediction_id = id, .corrected_label = "POSITIVE"});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->counted);
  EXPECT_TRUE(first->agreed);
  const auto again = world_.service.AddFeedback({.prediction_id = id, .corrected_label = "NEGATIVE"});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->counted);
  EXPECT_EQ(Accuracy(), 1);
  ASSERT_TRUE(world_.service.AddFeedback({.prediction_id = Predict(), .corrected_label = "NEUTRAL"}).ok());
  EXPECT_EQ(Accuracy(), 0.5);
}

TEST_F(FeedbackTest, CountsAnotherReplicasPredictionByItsClaim) {
  const Feedback feedback{NewUuid4(), "POSITIVE", "NEGATIVE", "tiny", "onnx"};
  const auto outcome = world_.service.AddFeedback(feedback);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->counted);
  EXPECT_FALSE(outcome->agreed);
  EXPECT_EQ(Accuracy(), 0);
  EXPECT_FALSE(world_.service.AddFeedback(feedback)->counted);
}

TEST_F(FeedbackTest, NamesWhatIsWrong) {
  const std::string id = NewUuid4();
  const auto expect = [&](const Feedback& feedback, ErrorCode code, const std::string& part) {
    ExpectError(world_.service.AddFeedback(feedback).status(), code, part);
  };
  expect({id, "POSITIVE", {}, {}, {}}, ErrorCode::kUnknownPrediction, "prediction_id");
  expect({"x", "POSITIVE", {}, {}, {}}, ErrorCode::kInvalidInput, "prediction_id: expected a UUID");
  expect({id, "SAD", {}, {}, {}}, ErrorCode::kInvalidInput,
         "corrected_label: expected one of NEGATIVE, NEUTRAL, POSITIVE");
  expect({id, "POSITIVE", "NEGATIVE", {}, {}}, ErrorCode::kInvalidInput, "together");
  expect({id, "POSITIVE", "NEGATIVE", "tiny", {}}, ErrorCode::kInvalidInput, "together");
  expect({id, "POSITIVE", "SAD", "tiny", "onnx"}, ErrorCode::kInvalidInput, "predicted_label");
  expect({id, "POSITIVE", "NEGATIVE", "other", "onnx"}, ErrorCode::kInvalidInput, "model: expected one of tiny");
  expect({id, "POSITIVE", "NEGATIVE", "tiny", "pytorch"}, ErrorCode::kInvalidInput, "backend: expected one of onnx");
  EXPECT_EQ(Accuracy(), std::nullopt);
}

}  // namespace
}  // namespace ks
