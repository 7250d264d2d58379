#include <system_error>

#include "cli/commands.h"

namespace ks {

std::filesystem::path ModelPath(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  std::error_code error;  // without /proc the path is relative to the current directory's parent
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return program.parent_path().parent_path() / "share/kubesentiment/models/default";
}

}  // namespace ks
