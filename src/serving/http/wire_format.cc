// Tested by wire_format_test.cc.
#include "serving/http/wire_format.h"

#include "base/strings.h"

namespace ks {
namespace {

constexpr size_t kUsualHeadBytes = 384;

void AppendHeader(std::string_view name, std::string_view value, std::string& head) {
  head += name;
  head += ": ";
  for (const char c : value) head.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c);
  head += "\r\n";
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

std::string FormatHead(const HttpResponse& response) {
  std::string head;
  head.reserve(kUsualHeadBytes);
  head += Cat("HTTP/1.1 ", response.status, " ", ReasonPhrase(response.status), "\r\n");
  AppendHeader("Content-Type", response.content_type, head);
  AppendHeader("Content-Length", Cat(response.body.size()), head);
  for (const HttpHeader& header : response.headers) AppendHeader(header.name, header.value, head);
  if (response.close) AppendHeader("Connection", "close", head);
  head += "\r\n";
  return head;
}

}  // namespace ks
