// `version`: what a bug report should say, and whether each instruction set gives the reference's bits here.
#include "base/version.h"

#include <cstdio>
#include <memory>

#include "backend/onnx/onnx_backend.h"
#include "base/cpu.h"
#include "base/json_writer.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "kernels/dispatch.h"

namespace ks {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = __VERSION__;
#else
constexpr std::string_view kCompiler = "g++ " __VERSION__;
#endif

int RunVersion(bool as_json) {
  const CpuFeatures features = DetectCpuFeatures();
  const std::vector<std::string_view> names = FeatureNames(features);
  const int cores = EffectiveCores();
  const std::vector<std::pair<IsaLevel, IsaState>> isas = TryIsas();
  if (as_json) {
    JsonWriter json;
    json.BeginObject().Key("version").String(Version()).Key("onnxruntime").String(OnnxRuntimeVersion());
    json.Key("compiler").String(kCompiler).Key("cpu").String(CpuModelName()).Key("cores").Int(cores);
    json.Key("isa").String(IsaName(BestIsa())).Key("cpu_features").BeginArray();
    for (const std::string_view name : names) json.String(name);
    json.EndArray().Key("isas").BeginObject();
    for (const auto& [isa, state] : isas) json.Key(IsaName(isa)).String(IsaStateName(state));
    json.EndObject().EndObject();
    std::printf("%s\n", json.text().c_str());
    return kExitDone;
  }
  std::string joined;
  for (const std::string_view name : names) joined += Cat(" ", name);
  std::string tried;
  for (const auto& [isa, state] : isas) {
    tried += Cat(tried.empty() ? "" : ", ", IsaName(isa), " ", IsaStateName(state));
  }
  std::printf("%s", Cat("kubesentiment ", Version(), "\nONNX Runtime ", OnnxRuntimeVersion(), "\nbuilt with ",
                        kCompiler, "\n", CpuModelName(), ", ", cores, " usable cores\nkernels ", IsaName(BestIsa()),
                        ";", joined, "\ninstruction sets: ", tried, "\n")
                        .c_str());
  return kExitDone;
}

}  // namespace

Command VersionCommand() {
  auto as_json = std::make_shared<bool>(false);
  return {.name = "version",
          .summary = "Prints the versions of the program and of ONNX Runtime, and what the CPU can do",
          .flags = {{"--json", as_json.get(), "", "as one JSON object"}},
          .run = [as_json] { return RunVersion(*as_json); }};
}

}  // namespace ks
