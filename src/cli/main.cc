#ifdef KS_MIMALLOC
#include <mimalloc.h>
#endif

#include <array>

#include "cli/commands.h"
#include "kernels/dispatch.h"

int main(int argc, char** argv) {
  const ks::TimePoint started = ks::SystemClock().Now();
#ifdef KS_MIMALLOC
  // A thread's first memory would become usable by the megabyte, and no huge page fits in (base/huge_pages.h).
  mi_option_set(mi_option_eager_commit_delay, 0);
#endif
  ks::BestIsa();  // asks Linux for tiles, before there are threads
  const std::array commands = {ks::ServeCommand(started), ks::PredictCommand(), ks::ConvertCommand(),
                               ks::ValidateCommand(),     ks::BenchCommand(),   ks::InspectCommand(),
                               ks::TokenizeCommand(),     ks::HealthCommand(),  ks::VersionCommand()};
  return ks::RunCommandLine(commands, argc, argv);
}
