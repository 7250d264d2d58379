#include "serving/http/message.h"

#include "gtest/gtest.h"

namespace ks {
namespace {

HttpRequest WithTarget(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  return request;
}

TEST(HttpRequest, FindsHeadersInAnyCaseAndTheFirstOfSeveral) {
  HttpRequest request;
  request.headers = {{"X-API-Key", "one"}, {"x-api-key", "two"}};
  ASSERT_NE(request.FindHeader("x-Api-kEY"), nullptr);
  EXPECT_EQ(*request.FindHeader("x-Api-kEY"), "one");
  EXPECT_EQ(request.FindHeader("X-API"), nullptr);
}

TEST(HttpRequest, TakesThePathOutOfEveryFormOfTarget) {
  EXPECT_EQ(WithTarget("/predict?backend=onnx").path(), "/predict");
  EXPECT_EQ(WithTarget("/predict#x").path(), "/predict");
  EXPECT_EQ(WithTarget("http://host:1/predict?x").path(), "/predict");
  EXPECT_EQ(WithTarget("http://host").path(), "/");
  EXPECT_EQ(WithTarget("/a?b=http://c/d").path(), "/a");
  EXPECT_EQ(WithTarget("*").path(), "*");
  EXPECT_EQ(WithTarget("").path(), "");
}

TEST(HttpRequest, DecodesQueryParameters) {
  const HttpRequest request = WithTarget("/x?a=1&b%61=%41+%2B%zz%4&c&a=2");
  EXPECT_EQ(request.QueryParameter("a"), "1");
  EXPECT_EQ(request.QueryParameter("ba"), "A +%zz%4");
  EXPECT_EQ(request.QueryParameter("c"), "");
  EXPECT_EQ(request.QueryParameter("d"), std::nullopt);
  EXPECT_EQ(WithTarget("/x").QueryParameter("a"), std::nullopt);
  EXPECT_EQ(WithTarget("/x?").QueryParameter("a"), std::nullopt);
}

TEST(TrimBlanks, LeavesTheMiddle) {
  EXPECT_EQ(TrimBlanks(" \ta b\t "), "a b");
  EXPECT_EQ(TrimBlanks(" \t"), "");
}

}  // namespace
}  // namespace ks
