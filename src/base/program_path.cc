#include "base/program_path.h"

#include <system_error>

namespace ks {

std::filesystem::path ProgramPrefix() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? ".." : program.parent_path().parent_path();
}

}  // namespace ks
