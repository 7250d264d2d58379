#include "serving/error_map.h"

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The cells of the rows "| E.... | ... |" of docs/errors.md.
std::vector<std::vector<std::string>> DocumentedRows() {
  std::ifstream file(KS_SOURCE_DIR "/docs/errors.md");
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| E")) continue;
    auto& cells = rows.emplace_back();
    for (size_t begin = 2; begin < line.size();) {
      const size_t end = line.find(" |", begin);
      cells.push_back(line.substr(begin, end - begin));
      begin = end + 3;
    }
  }
  return rows;
}

TEST(ErrorMap, EqualsItsDocument) {
  const auto rows = DocumentedRows();
  ASSERT_EQ(rows.size(), WireErrors().size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const WireErrorRow& row = WireErrors()[i];
    ASSERT_EQ(rows[i].size(), 4u);
    EXPECT_EQ(rows[i][0], row.code);
    EXPECT_EQ(rows[i][1], std::to_string(row.http_status));
    EXPECT_EQ(rows[i][2], row.meaning);
  }
}

TEST(ProblemOf, KeepsTheMessageOfAClientsError) {
  const Problem problem = ProblemOf(MakeError(ErrorCode::kTextTooLong, "text has 3 characters, the limit is 2"));
  EXPECT_EQ(RowOf(problem.error).code, "E1002");
  EXPECT_EQ(problem.message, "text has 3 characters, the limit is 2");
  EXPECT_EQ(problem.log_message, "");
}

TEST(ProblemOf, HidesTheReasonOfOurOwnFailure) {
  for (const absl::Status& status :
       {absl::InternalError("secret path"), MakeError(ErrorCode::kInferenceFailed, "secret path")}) {
    const Problem problem = ProblemOf(status);
    EXPECT_EQ(RowOf(problem.error).http_status, 500);
    EXPECT_THAT(problem.message, Not(HasSubstr("secret")));
    EXPECT_THAT(problem.message, HasSubstr("correlation_id"));
    EXPECT_THAT(problem.log_message, HasSubstr("secret path"));
  }
}

TEST(ProblemOf, CarriesWhenToTryAgain) {
  const Problem problem = ProblemOf(MakeQueueFull("full", std::chrono::seconds(7)));
  EXPECT_EQ(problem.error, WireError::kQueueFull);
  EXPECT_EQ(problem.retry_after, std::chrono::seconds(7));
}

}  // namespace
}  // namespace ks
