// `tokenize`: what the model's tokeniser makes of a text.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "package/package.h"
#include "text/tokenizer.h"

namespace ks {
namespace {

struct Flags {
  std::vector<std::string> texts;
  std::string model;
  std::optional<std::string> pair;
  bool json = false;
};

std::string AsJson(const Encoding& encoding, const Tokenizer& tokenizer) {
  JsonWriter json;
  json.BeginObject().Key("ids").BeginArray();
  for (const int32_t id : encoding.ids) json.Int(id);
  json.EndArray().Key("tokens").BeginArray();
  for (const int32_t id : encoding.ids) json.String(tokenizer.IdToToken(id));
  json.EndArray().Key("offsets").BeginArray();
  for (const Offset& offset : encoding.offsets) json.BeginArray().Int(offset.begin).Int(offset.end).EndArray();
  json.EndArray().Key("type_ids").BeginArray();
  for (const int32_t type : encoding.type_ids) json.Int(type);
  json.EndArray().Key("special").BeginArray();
  for (const uint8_t special : encoding.special_mask) json.Bool(special != 0);
  json.EndArray().EndObject();
  return std::move(json).Take() + "\n";
}

// A line a token, then a blank one.
std::string AsText(const Encoding& encoding, const Tokenizer& tokenizer) {
  std::string text;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    text += Cat(encoding.ids[i], "\t", tokenizer.IdToToken(encoding.ids[i]), "\t");
    text += encoding.special_mask[i] != 0 ? "special" : Cat(encoding.offsets[i].begin, "-", encoding.offsets[i].end);
    text += "\n";
  }
  return text + "\n";
}

absl::Status Show(const std::string& text, const Flags& flags, const Tokenizer& tokenizer, Encoding& encoding) {
  const EncodeOptions options = {.with_offsets = true, .with_special_mask = true};
  KS_RETURN_IF_ERROR(flags.pair ? tokenizer.EncodePair(text, *flags.pair, options, encoding)
                                : tokenizer.Encode(text, options, encoding));
  const std::string shown = flags.json ? AsJson(encoding, tokenizer) : AsText(encoding, tokenizer);
  std::fputs(shown.c_str(), stdout);
  return absl::OkStatus();
}

int RunTokenize(const Flags& flags) {
  if (flags.pair && flags.texts.size() != 1) {
    return Fail(InvalidArgument("--pair: expected exactly one TEXT, found ", flags.texts.size()));
  }
  const auto package = Package::Open(ModelPath(flags.model));
  if (!package.ok()) return Fail(package.status(), kExitUnreadable);
  const auto tokenizer = Tokenizer::FromCompiled((*package)->tokenizer());
  if (!tokenizer.ok()) {
    const std::string file = ((*package)->directory() / kTokenizerBinFile).string();
    return Fail(WithContext(tokenizer.status(), file), kExitUnreadable);
  }

  Encoding encoding;
  int64_t number = 0;
  ExitCode code = kExitDone;
  const auto show = [&](const std::string& text) {
    const absl::Status shown = Show(text, flags, *tokenizer, encoding);
    if (!shown.ok()) code = Fail(WithContext(shown, Cat("text ", number + 1)), kExitFailed);
    ++number;
  };
  if (flags.texts.empty()) {
    for (std::string line; std::getline(std::cin, line);) show(line);
  } else {
    for (const std::string& text : flags.texts) show(text);
  }
  return code;
}

}  // namespace

Command TokenizeCommand() {
  auto flags = std::make_shared<Flags>();
  return {.name = "tokenize",
          .summary = "Shows ids, tokens and offsets of texts (without TEXT: of each line of standard input)",
          .flags = {{"TEXT", &flags->texts, "", "texts"},
                    {"--model", &flags->model, "DIR", "package whose tokeniser it is; without it the default model's"},
                    {"--pair", &flags->pair, "TEXT", "second text of a pair with TEXT"},
                    {"--json", &flags->json, "", "one JSON object for each text"}},
          .run = [flags] { return RunTokenize(*flags); }};
}

}  // namespace ks
