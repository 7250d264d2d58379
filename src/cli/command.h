// What a subcommand is: its flags as data, and one call. CLI11 reads them (command.cc alone includes it).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace ks {

// What the program exits with; docs/cli.md explains them to users.
enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,     // the work failed: rows that could not be scored, a port in use, a full disk
  kExitUsage = 2,      // an option, a setting or a column that is not right
  kExitUnreadable = 3  // a file could not be read, is damaged, or is of an unsupported kind
};

// The exit code of an error that nobody knows better: kInvalidArgument and kAlreadyExists are the user's to put right,
// kNotFound, kDataLoss, kFailedPrecondition and kPermissionDenied say that a file cannot be used.
ExitCode ExitCodeOf(const absl::Status& status);

// Prints "error: <message>" to stderr and returns `code`.
ExitCode Fail(const absl::Status& status, ExitCode code);
inline ExitCode Fail(const absl::Status& status) { return Fail(status, ExitCodeOf(status)); }

// An integer flag with its bounds, both included.
struct IntFlag {
  int64_t* value;
  int64_t min, max;
};

// A number with a point, likewise.
struct RealFlag {
  double* value;
  double min, max;
};

// A flag whose text somebody else reads: called once for each time it is given.
using TextHandler = std::function<void(std::string)>;

struct Flag {
  std::string name;  // "--input", or "CHECKPOINT_DIR" for an argument
  // Where its value goes. A bool is a switch (--verify, --verify=false); a vector takes any number of arguments.
  std::variant<std::string*, std::optional<std::string>*, std::vector<std::string>*, bool*, IntFlag, RealFlag,
               TextHandler>
      target;
  std::string placeholder;  // "FILE"; of arguments and switches empty
  std::string meaning;
  std::vector<std::string> choices = {};  // if any, nothing else is taken
  bool required = false;
  bool is_switch = false;  // of a TextHandler: no value is needed, "true" is then meant
};

struct Command {
  std::string name;
  std::string summary;
  std::vector<Flag> flags;
  std::function<int()> run;  // the exit code
};

// Reads the arguments, sets what the flags of the one command named point to, and runs it. Prints help, or what is
// wrong and the usage. Returns the exit code: kExitUsage for an unknown command or flag, or a value that cannot be.
int RunCommandLine(std::span<const Command> commands, int argc, const char* const* argv);

}  // namespace ks
