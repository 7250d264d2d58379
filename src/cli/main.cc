#include <array>

#include "cli/commands.h"
#include "kernels/dispatch.h"

int main(int argc, char** argv) {
  const ks::TimePoint started = ks::SystemClock().Now();
  ks::BestIsa();  // asks Linux for tiles, before there are threads
  const std::array commands = {ks::ServeCommand(started), ks::PredictCommand(), ks::ConvertCommand(),
                               ks::ValidateCommand(),     ks::BenchCommand(),   ks::InspectCommand(),
                               ks::TokenizeCommand(),     ks::HealthCommand(),  ks::VersionCommand()};
  return ks::RunCommandLine(commands, argc, argv);
}
