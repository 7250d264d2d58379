#include "engine/routing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"
#include "engine/error.h"
#include "engine/served_model.h"

namespace ks {
namespace {

using ::testing::HasSubstr;

// "onnx" and "pytorch" answer, "other" only shadows.
std::vector<BackendGroup> Groups() {
  std::vector<BackendGroup> groups(3);
  groups[0].name = "onnx";
  groups[1].name = "pytorch";
  groups[2].name = "other";
  for (size_t g = 0; g < 2; ++g) groups[g].workers.push_back(std::make_unique<FakeBackend>());
  for (size_t g = 1; g < 3; ++g) groups[g].shadow = std::make_unique<FakeBackend>();
  return groups;
}

void ExpectRefused(const RoutingOptions& options, const std::string& message) {
  const absl::Status status = CheckRouting(Groups(), options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(Routing, TakesWhatCanBeFollowed) {
  EXPECT_TRUE(CheckRouting(Groups(), {}).ok());
  EXPECT_TRUE(CheckRouting(Groups(), {.allowed = {"onnx", "pytorch"}, .canary = "pytorch", .canary_share = 1}).ok());
  EXPECT_TRUE(CheckRouting(Groups(), {.shadow = "other", .shadow_share = 0.5}).ok());
}

TEST(Routing, RefusesWhatCannotBeFollowed) {
  ExpectRefused({.allowed = {"tflite"}}, "allowed-backends: the model was not loaded for the backend tflite");
  ExpectRefused({.allowed = {"other"}}, "allowed-backends: the backend other has no worker");
  ExpectRefused({.canary = "tflite"}, "canary-backend: the model was not loaded for the backend tflite");
  ExpectRefused({.canary = "onnx"}, "canary-backend: onnx is the default backend already");
  ExpectRefused({.canary = "other"}, "canary-backend: the backend other has no worker");
  ExpectRefused({.canary = "pytorch", .canary_share = 1.5}, "canary-share: expected 0 to 1, found 1.5");
  ExpectRefused({.shadow = "onnx"}, "shadow-backend: onnx is the default backend already");
  ExpectRefused({.shadow = "pytorch", .shadow_share = -1}, "shadow-share: expected 0 to 1, found -1");
  std::vector<BackendGroup> groups = Groups();
  groups[1].shadow = nullptr;
  EXPECT_THAT(std::string(CheckRouting(groups, {.shadow = "pytorch"}).message()),
              HasSubstr("shadow-backend: the backend pytorch was not loaded to shadow"));
}

TEST(Router, LetsARequestNameTheDefaultAndWhomItMay) {
  Router router(Groups(), {.allowed = {"pytorch"}});
  EXPECT_EQ(*router.Choose(""), 0u);
  EXPECT_EQ(*router.Choose("onnx"), 0u);
  EXPECT_EQ(*router.Choose("pytorch"), 1u);
}

TEST(Router, RefusesAnotherNameAndListsThoseItTakes) {
  Router router(Groups(), {.allowed = {"pytorch", "onnx"}, .shadow = "other"});
  const absl::Status status = router.Choose("other").status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kUnsupportedBackend);
  EXPECT_EQ(status.message(), "backend: expected one of onnx, pytorch; found \"other\"");
  EXPECT_THAT(std::string(router.Choose("a\nb").status().message()), HasSubstr("found a name of 3 bytes"));
}

TEST(Router, GivesTheCanaryNoNameThatARequestMayUse) {
  Router router(Groups(), {.canary = "pytorch", .canary_share = 1});
  EXPECT_EQ(*router.Choose(""), 1u);
  EXPECT_EQ(CodeOf(router.Choose("pytorch").status()), ErrorCode::kUnsupportedBackend);
}

TEST(Router, GivesTheCanaryItsShareOfRequestsThatNameNobody) {
  Router router(Groups(), {.canary = "pytorch", .canary_share = 0.1});
  int canary = 0;
  for (int i = 0; i < 1000; ++i) {
    canary += *router.Choose("") == 1 ? 1 : 0;
    EXPECT_EQ(*router.Choose("onnx"), 0u) << "who names the default gets it";
  }
  EXPECT_NEAR(canary, 100, 2);
}

TEST(Router, ShadowsAShareOfWhatTheDefaultAnswered) {
  Router router(Groups(), {.canary = "pytorch", .canary_share = 0.5, .shadow = "other", .shadow_share = 0.25});
  EXPECT_EQ(router.shadow(), 2u);
  int shadowed = 0;
  for (int i = 0; i < 1000; ++i) {
    shadowed += router.ChooseForShadow(0) ? 1 : 0;
    EXPECT_FALSE(router.ChooseForShadow(1)) << "the canary's answers are not compared";
  }
  EXPECT_NEAR(shadowed, 250, 2);
  Router without(Groups(), {.shadow_share = 1});
  EXPECT_FALSE(without.ChooseForShadow(0));
}

}  // namespace
}  // namespace ks
