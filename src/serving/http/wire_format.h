// An answer's head as bytes.
#pragma once

#include <string>
#include <string_view>

#include "serving/http/message.h"

namespace ks {

// "HTTP/1.1 200 OK" to the empty line, with Content-Type, Content-Length and, where it closes, Connection: close.
// Control characters in values become spaces: nothing that was sent to us can add a header.
std::string FormatHead(const HttpResponse& response);

// "OK", "Not Found"; empty for a status we never answer with.
std::string_view ReasonPhrase(int status);

}  // namespace ks
