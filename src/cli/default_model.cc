#include "base/program_path.h"
#include "cli/commands.h"

namespace ks {

std::filesystem::path ModelPath(const std::string& wanted) {
  return wanted.empty() ? ProgramPrefix() / "share/kubesentiment/models/default" : std::filesystem::path(wanted);
}

}  // namespace ks
