#include "serving/http/body_budget.h"

#include <optional>

#include "gtest/gtest.h"

namespace ks {
namespace {

TEST(BodyBudget, RefusesWhatPassesItAndTakesBackWhatIsReleased) {
  BodyBudget budget(10);
  std::optional<BodyBudget::Share> first(budget);
  BodyBudget::Share second(budget);
  EXPECT_TRUE(first->GrowTo(4));
  EXPECT_TRUE(second.GrowTo(5));
  EXPECT_TRUE(first->GrowTo(5));
  EXPECT_FALSE(second.GrowTo(6));
  EXPECT_TRUE(second.GrowTo(5)) << "a refusal changes nothing";
  first.reset();
  EXPECT_TRUE(second.GrowTo(10));
  EXPECT_FALSE(second.GrowTo(11));
  second.Release();
  EXPECT_TRUE(BodyBudget::Share(budget).GrowTo(10));
}

}  // namespace
}  // namespace ks
