// Tested by report_test.cc.
#include "base/json_writer.h"
#include "measure/report.h"

namespace ks {
namespace {

void Write(JsonWriter& json, const SideDescription& side) {
  json.BeginObject().Key("backend").String(side.backend).Key("precision").String(side.precision).EndObject();
}

void Write(JsonWriter& json, const DifferenceSummary& summary) {
  json.BeginObject().Key("max").Double(summary.max).Key("mean").Double(summary.mean);
  json.Key("p99").Double(summary.p99).EndObject();
}

void Write(JsonWriter& json, const ConfusionMatrix& matrix) {
  json.BeginArray();
  for (int expected = 0; expected < matrix.classes(); ++expected) {
    json.BeginArray();
    for (int found = 0; found < matrix.classes(); ++found) json.Int(matrix.count(expected, found));
    json.EndArray();
  }
  json.EndArray();
}

void WriteAccuracy(JsonWriter& json, const std::optional<AccuracyComparison>& accuracy) {
  if (!accuracy) {
    json.Null();
    return;
  }
  const auto side = [&](const char* name, const ConfusionMatrix& matrix) {
    json.Key(name).BeginObject().Key("accuracy").Double(matrix.Accuracy());
    json.Key("macro_recall").Double(matrix.MacroRecall()).Key("confusion");
    Write(json, matrix);
    json.EndObject();
  };
  json.BeginObject().Key("texts").Int(accuracy->confusion.candidate.total());
  side("reference", accuracy->confusion.reference);
  side("candidate", accuracy->confusion.candidate);
  json.Key("lost").Int(accuracy->lost).Key("gained").Int(accuracy->gained).EndObject();
}

void WriteReliability(JsonWriter& json, const SideReliability& side) {
  json.BeginObject().Key("error").Double(side.served.error).Key("log_loss").Double(side.served.log_loss);
  json.Key("bins").BeginArray();
  for (const ReliabilityBin& bin : side.served.bins) {
    json.BeginObject().Key("texts").Int(bin.texts).Key("confidence").Double(bin.confidence);
    json.Key("accuracy").Double(bin.accuracy).EndObject();
  }
  json.EndArray().Key("fitted").BeginObject().Key("temperature").Double(side.fitted.temperature);
  json.Key("error").Double(side.fitted.error).Key("log_loss").Double(side.fitted.log_loss).EndObject().EndObject();
}

void WriteReliability(JsonWriter& json, const Comparison& comparison) {
  json.Key("reliability");
  if (!comparison.reliability) {
    json.Null();
    return;
  }
  json.BeginObject().Key("reference");
  WriteReliability(json, comparison.reliability->reference);
  json.Key("candidate");
  WriteReliability(json, comparison.reliability->candidate);
  json.EndObject();
}

void WriteData(JsonWriter& json, const ValidationReport& report) {
  json.Key("data").BeginObject().Key("rows").Int(report.data.rows());
  json.Key("texts").Int(static_cast<int64_t>(report.data.examples.size()));
  json.Key("samples").Int(static_cast<int64_t>(report.samples));
  json.Key("sampling")
      .String(static_cast<int64_t>(report.data.examples.size()) < report.data.rows() ? "smallest sha256 of the text"
                                                                                     : "all rows");
  json.Key("files").BeginArray();
  for (const DataFile& file : report.data.files) {
    json.BeginObject().Key("name").String(file.name).Key("rows").Int(file.rows);
    json.Key("labelled").Bool(file.labelled).EndObject();
  }
  json.EndArray().EndObject();
}

void WriteFiles(JsonWriter& json, const ValidationReport& report) {
  json.Key("files").BeginArray();
  for (const FileComparison& file : report.comparison.files) {
    json.BeginObject().Key("name").String(report.data.files[file.file].name).Key("texts").Int(file.texts);
    json.Key("agreeing").Int(file.agreeing).Key("accuracy");
    WriteAccuracy(json, file.accuracy);
    json.Key("p_value").Double(file.p_value).Key("p_adjusted").Double(file.p_adjusted).EndObject();
  }
  json.EndArray();
}

void WriteDistributions(JsonWriter& json, const Comparison& comparison) {
  json.Key("lengths").BeginArray();
  for (const LengthBucket& bucket : comparison.lengths) {
    json.BeginObject().Key("from").Int(bucket.from).Key("to").Int(bucket.to).Key("texts").Int(bucket.texts);
    json.Key("agreeing").Int(bucket.agreeing).Key("probabilities");
    Write(json, bucket.probabilities);
    json.EndObject();
  }
  json.EndArray().Key("histogram").BeginArray();
  for (const HistogramBin& bin : comparison.histogram) {
    json.BeginObject().Key("from").Double(bin.from).Key("to").Double(bin.to).Key("texts").Int(bin.texts).EndObject();
  }
  json.EndArray();
}

void WriteScores(JsonWriter& json, const std::vector<float>& scores) {
  json.BeginArray();
  for (const float score : scores) json.Float(score);
  json.EndArray();
}

// Where a text stands.
void WritePlace(JsonWriter& json, const ValidationReport& report, int i) {
  const Example& example = report.data.examples[i];
  json.Key("file").String(report.data.files[example.file].name).Key("line").Int(example.line);
  json.Key("tokens").Int(report.texts.tokens(i));
}

void WriteWorst(JsonWriter& json, const ValidationReport& report) {
  json.Key("worst").BeginArray();
  for (const WorstText& worst : report.comparison.worst) {
    const Example& example = report.data.examples[worst.example];
    json.BeginObject();
    WritePlace(json, report, worst.example);
    json.Key("text").String(example.text).Key("label");
    example.label == kNoLabel ? json.Null() : json.String(report.labels[example.label]);
    json.Key("difference").Double(worst.difference).Key("reference");
    WriteScores(json, worst.scores.reference);
    json.Key("candidate");
    WriteScores(json, worst.scores.candidate);
    json.EndObject();
  }
  json.EndArray();
}

void WriteLayers(JsonWriter& json, const ValidationReport& report) {
  json.Key("layers");
  if (!report.layers) {
    json.Null();
    return;
  }
  const LayerDifference* first = report.layers->FirstOutside();
  json.BeginObject().Key("texts").Int(report.layers->texts).Key("first_outside");
  first == nullptr ? json.Null() : json.String(first->tap);
  json.Key("taps").BeginArray();
  for (const LayerDifference& layer : report.layers->layers) {
    json.BeginObject().Key("tap").String(layer.tap).Key("difference").Double(layer.difference);
    json.Key("tolerance").Double(layer.tolerance).Key("outside").Int(layer.outside).Key("worst").BeginArray();
    for (const LayerText& text : layer.worst) {
      json.BeginObject();
      WritePlace(json, report, text.example);
      json.Key("difference").Double(text.difference).EndObject();
    }
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
}

void WriteInvariance(JsonWriter& json, const ValidationReport& report) {
  json.Key("batch_invariance").BeginArray();
  for (const InvarianceResult& result : report.invariance) {
    json.BeginObject().Key("isa").String(result.isa).Key("texts").Int(result.texts);
    json.Key("batched").Int(result.batched).Key("places").Int(result.places).Key("different").Int(result.different);
    json.EndObject();
  }
  json.EndArray();
}

void WriteGates(JsonWriter& json, const ValidationReport& report) {
  json.Key("gates").BeginArray();
  for (const GateResult& gate : report.gates) {
    json.BeginObject().Key("name").String(gate.name).Key("bound").Double(gate.bound).Key("found").Double(gate.found);
    json.Key("passed").Bool(gate.passed).Key("sentence").String(gate.sentence).EndObject();
  }
  json.EndArray().Key("passed").Bool(report.passed());
}

}  // namespace

std::string ReportJson(const ValidationReport& report) {
  const Comparison& comparison = report.comparison;
  JsonWriter json;
  json.BeginObject().Key("format").String(kReportFormat).Key("version").Int(kReportVersion);
  json.Key("model").BeginObject().Key("name").String(report.model).Key("source_sha256").String(report.source_sha256);
  json.Key("labels").BeginArray();
  for (const std::string& label : report.labels) json.String(label);
  json.EndArray().Key("temperature").Float(report.temperature).Key("window").Int(report.window).EndObject();
  json.Key("reference");
  Write(json, report.sides.reference);
  json.Key("candidate");
  Write(json, report.sides.candidate);
  WriteData(json, report);
  json.Key("classes").BeginArray();
  for (const int c : comparison.classes) json.String(report.labels[c]);
  json.EndArray().Key("probabilities");
  Write(json, comparison.probabilities);
  json.Key("logits");
  Write(json, comparison.logits);
  json.Key("agreement").Double(comparison.Agreement()).Key("agreeing").Int(comparison.agreeing).Key("sides");
  Write(json, comparison.sides);
  json.Key("accuracy");
  WriteAccuracy(json, comparison.accuracy);
  WriteReliability(json, comparison);
  WriteFiles(json, report);
  WriteDistributions(json, comparison);
  WriteWorst(json, report);
  WriteLayers(json, report);
  WriteInvariance(json, report);
  WriteGates(json, report);
  json.EndObject();
  return IndentJson(json.text()) + "\n";
}

}  // namespace ks
