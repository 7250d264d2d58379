// The program's version, from CMake's project(): one place for logs, metrics, the API document and `version`.
#pragma once

#include <string_view>

namespace ks {

std::string_view Version();

}  // namespace ks
