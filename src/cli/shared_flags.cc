#include "cli/commands.h"

namespace ks {

Flag BackendFlag(std::string* backend) {
  return {"--backend", backend, "NAME", "what runs the model", {"onnx", "pytorch"}};
}

Flag PrecisionFlag(std::string* precision) {
  return {"--precision",
          precision,
          "NAME",
          "numbers the model runs in; auto is int8 where the package has it",
          {"auto", "int8", "fp32"}};
}

Flag ThreadsFlag(int64_t* threads) {
  return {"--threads", IntFlag{threads, 0, 1024}, "N", "cores to use; 0 takes all there are"};
}

}  // namespace ks
