// Requests and answers as handlers see them: no sockets, no Beast.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ks {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method;  // as sent: "POST"
  std::string target;  // as sent: "/api/v1/predict?backend=onnx"
  std::vector<HttpHeader> headers;
  std::string body;

  // The value of the first header of this name (case does not matter); nullptr where there is none.
  const std::string* FindHeader(std::string_view name) const;
  // The target without its query and, in the absolute form, without scheme and host.
  std::string_view path() const;
  // The decoded value of the first parameter of this name in the query; nothing where there is none.
  std::optional<std::string> QueryParameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<HttpHeader> headers = {};  // beside Content-Type, Content-Length and Connection
  std::string body = {};
  bool close = false;  // the connection ends with this answer
};

// Makes the answer on the thread that serves the connection, so that workers do not serialise.
using MakeHttpResponse = std::function<HttpResponse()>;
// Takes the answer of one request: called exactly once, on any thread.
using HttpReply = std::function<void(MakeHttpResponse)>;

bool EqualsIgnoringCase(std::string_view a, std::string_view b);
// Without spaces and tabs at its ends.
std::string_view TrimBlanks(std::string_view text);

}  // namespace ks
