// One GET or POST over plain HTTP, to a server nearby: no TLS, no redirects, no proxy.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace ks {

struct HttpUrl {
  std::string host;  // a name or an address, that of IPv6 without its brackets
  std::string port = "80";
  std::string target = "/";  // path and query

  std::string authority() const;  // "127.0.0.1:8000", "[::1]:80", as the header Host has it
};

// Reads "http://HOST[:PORT][/PATH][?QUERY]". kInvalidArgument with the whole of `url` for anything else: another scheme, a
// user or a fragment in it, a port outside 1 to 65535, blanks, control characters.
absl::StatusOr<HttpUrl> ParseHttpUrl(std::string_view url);

struct HttpAnswer {
  int status = 0;
  std::string body;  // what came of it, 64 KiB at most; chunks are not joined
};

// Connects (to each address of the name in turn), asks, and reads until the answer is whole by its Content-Length or the
// server closes: all of it within `timeout`, but for the look-up of a name, whose time the system limits. Blocks. Errors:
// kUnavailable where nobody listens or the connection breaks, kDeadlineExceeded, kNotFound for a name without an address,
// kInternal for what is no HTTP answer or not all of one.
absl::StatusOr<HttpAnswer> HttpGet(const HttpUrl& url, Duration timeout);

// The same with `body`, which is copied.
absl::StatusOr<HttpAnswer> HttpPost(const HttpUrl& url, std::string_view content_type, std::string_view body,
                                    Duration timeout);

}  // namespace ks
