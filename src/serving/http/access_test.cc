#include "serving/http/access.h"

#include "base/hex.h"
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

TEST(TraceParentOf, TakesTheOneHeaderThereMayBe) {
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string header = "00-" + id + "-00f067aa0ba902b7-01";
  const auto parent = TraceParentOf(With("Traceparent", " " + header + "\t"));
  ASSERT_TRUE(parent.has_value());
  EXPECT_EQ(ToHex(parent->trace_id), id);
  EXPECT_FALSE(TraceParentOf({}).has_value());
  EXPECT_FALSE(TraceParentOf(With("traceparent", header + "-more")).has_value());
  HttpRequest twice = With("traceparent", header);
  twice.headers.push_back({"TRACEPARENT", header});
  EXPECT_FALSE(TraceParentOf(twice).has_value());
}

TEST(TraceStateOf, JoinsWhatIsFitToHandOn) {
  EXPECT_EQ(TraceStateOf({}), "");
  HttpRequest request = With("tracestate", " a=1,b=2 ");
  EXPECT_EQ(TraceStateOf(request), "a=1,b=2");
  request.headers.push_back({"TraceState", "c=3"});
  EXPECT_EQ(TraceStateOf(request), "a=1,b=2,c=3");
  request.headers.push_back({"tracestate", "d=\xC3\xA4"});
  EXPECT_EQ(TraceStateOf(request), "");
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
