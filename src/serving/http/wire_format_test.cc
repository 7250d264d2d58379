#include "serving/http/wire_format.h"

#include "gtest/gtest.h"
#include "serving/error_map.h"

namespace ks {
namespace {

TEST(FormatHead, WritesStatusLengthAndHeaders) {
  const HttpResponse response{.status = 429, .headers = {{"Retry-After", "3"}}, .body = "{}"};
  EXPECT_EQ(FormatHead(response),
            "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "Retry-After: 3\r\n\r\n");
}

TEST(FormatHead, SaysWhenTheConnectionCloses) {
  EXPECT_EQ(FormatHead({.close = true}),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST(FormatHead, LetsNoValueAddAHeader) {
  const std::string head = FormatHead({.headers = {{"X-A", "a\r\nX-B: b\x01"}}});
  EXPECT_NE(head.find("X-A: a  X-B: b \r\n"), std::string::npos);
}

TEST(ReasonPhrase, KnowsEveryStatusOfTheErrorMap) {
  for (const WireErrorRow& row : WireErrors()) EXPECT_NE(ReasonPhrase(row.http_status), "") << row.http_status;
}

}  // namespace
}  // namespace ks
