#include "engine/cores_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace ks {
namespace {

constexpr CoresLimits kLimits = {.run_tokens = 512, .least_wide_tokens = 16, .least_part_tokens = 64};

TEST(ChooseCores, FollowsItsTable) {
  using enum CoresChoice::Cores;
  // One text that came to an idle server of four cores; the rows change this.
  constexpr CoresView kAlone = {
      .has_wide = true, .workers = 4, .waiting_tokens = 40, .waiting_parts = 1, .came_alone = true};
  struct Case {
    std::string name;
    void (*change)(CoresView&);
    CoresChoice expected;
  };
  const Case cases[] = {
      {"one text at an idle server has all cores", [](CoresView&) {}, {kAll, 512}},
      {"a text from which all cores gain", [](CoresView& v) { v.waiting_tokens = 16; }, {kAll, 512}},
      {"and one too short for that", [](CoresView& v) { v.waiting_tokens = 15; }, {kOne, 64}},
      {"no backend for all cores", [](CoresView& v) { v.has_wide = false; }, {kOne, 64}},
      {"a run on all cores lets nothing else start", [](CoresView& v) { v.runs = 1, v.wide_run = true; }, {kNone, 0}},
      {"something else runs", [](CoresView& v) { v.runs = 1; }, {kOne, 64}},
      {"something else ran when it came", [](CoresView& v) { v.came_alone = false; }, {kOne, 64}},
      {"something else waits", [](CoresView& v) { v.waiting_parts = 0, v.came_alone = false; }, {kOne, 64}},
      {"a batch is divided among the cores, two runs each",
       [](CoresView& v) { v.waiting_parts = 8, v.waiting_tokens = 1025; },
       {kOne, 129}},
      {"among the busy ones, too, which are free soon",
       [](CoresView& v) { v.waiting_parts = 8, v.waiting_tokens = 1025, v.runs = 3; },
       {kOne, 129}},
      {"but not into runs that are too small",
       [](CoresView& v) { v.waiting_parts = 8, v.waiting_tokens = 100; },
       {kOne, 64}},
      {"more than all cores can take at once fills each run",
       [](CoresView& v) { v.waiting_parts = 100, v.waiting_tokens = 60000; },
       {kOne, 512}},
      {"a worker without others takes all there is",
       [](CoresView& v) { v.waiting_parts = 0, v.waiting_tokens = 300, v.workers = 1; },
       {kOne, 300}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    CoresView view = kAlone;
    c.change(view);
    const CoresChoice choice = ChooseCores(view, kLimits);
    EXPECT_EQ(choice.cores, c.expected.cores);
    EXPECT_EQ(choice.goal_tokens, c.expected.goal_tokens);
  }
}

}  // namespace
}  // namespace ks
