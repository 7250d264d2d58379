// `inspect`: what a package holds, and whether it is whole.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "package/package.h"

namespace ks {
namespace {

struct Flags {
  std::string directory;
  bool verify = false;
  bool json = false;
};

std::string AsJson(const Package& package, bool verified) {
  const Manifest& manifest = package.manifest();
  const EncoderSpec& encoder = manifest.spec.encoder;
  JsonWriter json;
  json.BeginObject().Key("directory").String(package.directory().string());
  json.Key("name").String(manifest.name).Key("format_version").Int(manifest.format_version);
  json.Key("architecture").String(ArchitectureName(encoder.architecture)).Key("layers").Int(encoder.layers);
  json.Key("hidden_size").Int(encoder.hidden_size).Key("heads").Int(encoder.heads);
  json.Key("vocab_size").Int(encoder.vocab_size).Key("window").Int(manifest.window);
  json.Key("labels").BeginArray();
  for (const std::string& label : manifest.spec.labels) json.String(label);
  json.EndArray().Key("activation").String(ActivationName(manifest.spec.activation));
  json.Key("temperature").Float(manifest.temperature).Key("precisions").BeginArray();
  for (const std::string& precision : package.precisions()) json.String(precision);
  json.EndArray().Key("int8");
  if (manifest.HasPrecision("int8")) {
    json.BeginObject().Key("calibrated").Bool(manifest.int8.calibrated).Key("fp32_layers").BeginArray();
    for (const std::string& layer : manifest.int8.fp32_layers) json.String(layer);
    json.EndArray().EndObject();
  } else {
    json.Null();
  }
  json.Key("gate");
  manifest.GateVerdict() ? json.String(*manifest.GateVerdict()) : json.Null();
  json.Key("source_sha256").String(manifest.source_sha256);
  json.Key("self_checks").Int(static_cast<int64_t>(manifest.self_checks.size())).Key("files").BeginArray();
  for (const PackageFile& file : manifest.files) {
    json.BeginObject().Key("name").String(file.name).Key("size_bytes").Int(file.size_bytes);
    json.Key("sha256").String(file.sha256).Key("optional").Bool(file.optional).EndObject();
  }
  // Without --verify nobody looked: null, not false.
  json.EndArray().Key("verified");
  verified ? json.Bool(true) : json.Null();
  json.EndObject();
  return IndentJson(json.text());
}

std::string Join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += Cat(joined.empty() ? "" : ", ", word);
  return joined;
}

std::string DescribeInt8(const Manifest& manifest) {
  if (!manifest.HasPrecision("int8")) return {};
  const std::vector<std::string>& layers = manifest.int8.fp32_layers;
  return Cat("\nint8         ", manifest.int8.calibrated ? "calibrated" : "each weight rounded alone",
             layers.empty() ? "" : Cat(", in fp32: ", Join(layers)), "\ngate         ",
             manifest.GateVerdict().value_or("none, for want of fp32"));
}

std::string AsText(const Package& package, bool verified) {
  const Manifest& manifest = package.manifest();
  const EncoderSpec& encoder = manifest.spec.encoder;
  std::string text =
      Cat("name         ", manifest.name, "\ndirectory    ", package.directory().string(), "\nformat       version ",
          manifest.format_version, "\nencoder      ", ArchitectureName(encoder.architecture), ", ", encoder.layers,
          " layers, ", encoder.hidden_size, " wide, ", encoder.heads, " heads, ", encoder.vocab_size, " tokens\n");
  text += Cat("window       ", manifest.window, " tokens\nlabels       ", Join(manifest.spec.labels), "\nactivation   ",
              ActivationName(manifest.spec.activation), ", temperature ", manifest.temperature, "\nprecisions   ",
              Join(package.precisions()), DescribeInt8(manifest), "\nself-checks  ", manifest.self_checks.size(),
              "\nsource       sha256 ", manifest.source_sha256, "\nfiles        ",
              verified ? "hashes verified" : "sizes checked (--verify checks the hashes)", "\n");
  for (const PackageFile& file : manifest.files) {
    const std::string size = Cat(file.size_bytes);
    const size_t padding = 12 - std::min<size_t>(size.size(), 12);
    text += Cat("  ", std::string(padding, ' '), size, "  ", file.sha256.substr(0, 12), "  ", file.name,
                file.optional ? "  (optional)" : "", "\n");
  }
  return text;
}

int RunInspect(const Flags& flags) {
  const auto package = Package::Open(flags.directory);
  // Whatever is wrong with a package, it is not the usage.
  if (!package.ok()) return Fail(package.status(), kExitUnreadable);
  if (flags.verify) {
    const absl::Status verified = (*package)->Verify();
    if (!verified.ok()) return Fail(verified, kExitUnreadable);
  }
  const std::string report = flags.json ? AsJson(**package, flags.verify) + "\n" : AsText(**package, flags.verify);
  std::fputs(report.c_str(), stdout);
  return kExitDone;
}

}  // namespace

Command InspectCommand() {
  auto flags = std::make_shared<Flags>();
  return {
      .name = "inspect",
      .summary = "Shows what a package holds, and with --verify checks all of its hashes",
      .flags =
          {{.name = "DIR", .target = &flags->directory, .placeholder = "", .meaning = "the package", .required = true},
           {"--verify", &flags->verify, "", "hash every file"},
           {"--json", &flags->json, "", "as one JSON object"}},
      .run = [flags] { return RunInspect(*flags); }};
}

}  // namespace ks
