// Version 4 UUIDs (RFC 9562) for prediction and correlation ids.
#pragma once

#include <string>
#include <string_view>

namespace ks {

// 36 characters, lower case, of RandomBits. Safe from any thread.
std::string NewUuid4();

// True for 8-4-4-4-12 hexadecimal digits (either case) of any version.
bool IsUuid(std::string_view text);

}  // namespace ks
