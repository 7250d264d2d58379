#include "base/version.h"

namespace ks {

std::string_view Version() { return KS_VERSION; }

}  // namespace ks
