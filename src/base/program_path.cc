#include "base/program_path.h"

#include <system_error>

#include "base/status.h"

namespace ks {

absl::StatusOr<std::filesystem::path> ProgramFile() {
  constexpr char kLink[] = "/proc/self/exe";
  std::error_code error;
  std::filesystem::path program = std::filesystem::read_symlink(kLink, error);
  if (error) return ErrnoStatus(error.value(), kLink);
  return program;
}

std::filesystem::path ProgramPrefix() {
  const absl::StatusOr<std::filesystem::path> program = ProgramFile();
  return program.ok() ? program->parent_path().parent_path() : "..";
}

}  // namespace ks
