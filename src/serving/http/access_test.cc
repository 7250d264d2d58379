#include "serving/http/access.h"

#include "base/uuid.h"
#include "engine/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ks {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HttpRequest With(std::string name, std::string value) {
  HttpRequest request;
  request.headers = {{std::move(name), std::move(value)}};
  return request;
}

TEST(ApiKey, AdmitsEverybodyWhereNoneIsSet) {
  EXPECT_TRUE(ApiKey("").Admits({}));
  EXPECT_TRUE(ApiKey("").Admits(With("Authorization", "Bearer whatever")));
}

TEST(ApiKey, AdmitsItsHolderAlone) {
  const ApiKey key("s3cret");
  EXPECT_TRUE(key.required());
  EXPECT_TRUE(key.Admits(With("x-api-key", " s3cret ")));
  EXPECT_TRUE(key.Admits(With("Authorization", "Bearer s3cret")));
  EXPECT_TRUE(key.Admits(With("Authorization", "bearer   s3cret")));
  EXPECT_FALSE(key.Admits({}));
  EXPECT_FALSE(key.Admits(With("X-API-Key", "")));
  EXPECT_FALSE(key.Admits(With("X-API-Key", "s3cre")));
  EXPECT_FALSE(key.Admits(With("X-API-Key", "s3cretx")));
  EXPECT_FALSE(key.Admits(With("X-API-Key", "Bearer s3cret")));
  EXPECT_FALSE(key.Admits(With("Authorization", "s3cret")));
  EXPECT_FALSE(key.Admits(With("Authorization", "Basic s3cret")));
  EXPECT_FALSE(key.Admits(With("Authorization", "Bearer other")));
  EXPECT_FALSE(key.Admits(With("Authorization", "Bearer")));
}

TEST(CorrelationIdOf, KeepsPrintableOnesAndReplacesOthers) {
  EXPECT_EQ(CorrelationIdOf(With("x-correlation-id", " a b-1 ")), "a b-1");
  EXPECT_EQ(CorrelationIdOf(With("X-Correlation-ID", std::string(128, 'x'))), std::string(128, 'x'));
  for (const std::string& bad :
       {std::string(129, 'x'), std::string("a\tb"), std::string(), std::string("\xC3\xA4"), std::string("a\x7F")}) {
    const std::string made = CorrelationIdOf(With("X-Correlation-ID", bad));
    EXPECT_TRUE(IsUuid(made)) << bad;
  }
  EXPECT_NE(CorrelationIdOf({}), CorrelationIdOf({}));
}

TEST(TraceIdOf, TakesWellFormedHeadersAlone) {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  EXPECT_EQ(TraceIdOf(With("traceparent", "00-" + id + "-00f067aa0ba902b7-01")), id);
  EXPECT_EQ(TraceIdOf(With("traceparent", "01-" + id + "-00f067aa0ba902b7-01-more")), id);
  EXPECT_EQ(TraceIdOf({}), "");
  for (const std::string& bad :
       {"00-" + id + "-00f067aa0ba902b7", "00-" + id + "-00f067aa0ba902b7-01-more", "ff-" + id + "-00f067aa0ba902b7-01",
        "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01", "00-" + id + "-" + std::string(16, '0') + "-01",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), "00-" + id + "-00f067aa0ba902bx-01"}) {
    EXPECT_EQ(TraceIdOf(With("traceparent", bad)), "") << bad;
  }
}

TEST(RequestTimeoutOf, ReadsWholeMilliseconds) {
  const auto read = [](std::string value) { return RequestTimeoutOf(With("X-Request-Timeout-Ms", std::move(value))); };
  EXPECT_EQ(*RequestTimeoutOf({}), std::nullopt);
  EXPECT_EQ(*read("250"), std::chrono::milliseconds(250));
  EXPECT_EQ(*read(" 0 "), std::chrono::milliseconds(0));
  EXPECT_EQ(*read("99999999999999999999999"), std::chrono::hours(24));
  for (const char* bad : {"soon", "", "-1", "1.5", "+5", "10 s", "-99999999999999999999999"}) {
    const auto timeout = read(bad);
    ASSERT_FALSE(timeout.ok()) << bad;
    EXPECT_EQ(CodeOf(timeout.status()), ErrorCode::kInvalidInput);
    EXPECT_THAT(std::string(timeout.status().message()), HasSubstr("X-Request-Timeout-Ms"));
    EXPECT_THAT(std::string(timeout.status().message()), Not(HasSubstr("soon")));
  }
}

}  // namespace
}  // namespace ks
