// The adapter over CLI11. Tested by command_test.cc.
#include "cli/command.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "CLI/CLI.hpp"
#include "base/strings.h"

namespace ks {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// CLI11 takes an argument like "[good, bad]" for a list of two, and "--" for the end of the subcommand. With this in
// front an argument is taken as it is.
constexpr char kGuard = '\x1F';

std::string Unguarded(const std::string& argument) {
  return argument.starts_with(kGuard) ? argument.substr(1) : argument;
}

// The arguments, the last one first, as CLI11 wants them. What follows "--" is no flag.
std::vector<std::string> GuardedArguments(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  bool flags_ended = false;
  for (std::string argument : std::span(argv, static_cast<size_t>(argc)).subspan(1)) {
    if (!flags_ended && argument == "--") {
      flags_ended = true;
      continue;
    }
    const bool guard = flags_ended || (argument.starts_with('[') && argument.ends_with(']'));
    arguments.push_back(guard ? kGuard + argument : argument);
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

CLI::Option* AddOption(CLI::App& app, const Flag& flag) {
  const std::string& name = flag.name;
  const auto add_text = [&](const TextHandler& handler) {
    return app.add_option_function<std::string>(name, [handler](const std::string& text) { handler(Unguarded(text)); });
  };
  return std::visit(
      Overloaded{
          [&](std::string* value) { return add_text([value](std::string text) { *value = std::move(text); }); },
          [&](std::optional<std::string>* value) {
            return add_text([value](std::string text) { *value = std::move(text); });
          },
          [&](std::vector<std::string>* values) {
            return app.add_option_function<std::vector<std::string>>(name,
                                                                     [values](const std::vector<std::string>& texts) {
                                                                       for (const std::string& text : texts)
                                                                         values->push_back(Unguarded(text));
                                                                     });
          },
          [&](bool* value) { return app.add_flag(name, *value); },
          [&](const IntFlag& number) {
            return app.add_option(name, *number.value)->check(CLI::Range(number.min, number.max));
          },
          [&](const RealFlag& number) {
            return app.add_option(name, *number.value)->check(CLI::Range(number.min, number.max));
          },
          [&](const TextHandler& handler) {
            if (!flag.is_switch) return add_text(handler);
            // The value after '=' comes as it was written, or as "true".
            return app.add_flag_function(name, [](int64_t) {})->each(handler);
          },
      },
      flag.target);
}

void AddFlag(CLI::App& app, const Flag& flag) {
  CLI::Option* const option = AddOption(app, flag);
  option->description(flag.meaning);
  option->required(flag.required);
  if (!flag.placeholder.empty()) option->type_name(flag.placeholder);
  if (!flag.choices.empty()) option->check(CLI::IsMember(flag.choices));
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
      return kExitUnreadable;
    default:
      return kExitFailed;
  }
}

ExitCode Fail(const absl::Status& status, ExitCode code) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return code;
}

int RunCommandLine(std::span<const Command> commands, int argc, const char* const* argv) {
  CLI::App app(
      "Sentiment and text classification on CPU: converts Hugging Face checkpoints, serves them, scores files.",
      "kubesentiment");
  app.require_subcommand(1);
  std::function<int()> chosen;
  for (const Command& command : commands) {
    CLI::App* const subcommand = app.add_subcommand(command.name, command.summary);
    // Only where it is named: the flags of all of them take longer to make than a server's settings to load.
    if (std::find(argv, argv + argc, command.name) == argv + argc) continue;
    for (const Flag& flag : command.flags) AddFlag(*subcommand, flag);
    subcommand->final_callback([&chosen, &command] { chosen = command.run; });
  }
  try {
    app.parse(GuardedArguments(argc, argv));
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();  // of the command, if one was named
    return kExitDone;
  } catch (const CLI::ParseError& error) {
    std::cerr << "error: " << error.what() << "\n\n" << app.help();
    return kExitUsage;
  }
  return chosen();
}

}  // namespace ks
