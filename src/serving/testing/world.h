// A service on the fake engine, with its metrics, log and app.
#pragma once

#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "serving/http/app.h"
#include "serving/service.h"
#include "serving/testing/fake_engine.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace ks {

inline ModelDescription TinyModel() {
  ModelDescription model;
  model.name = "tiny";
  model.precision = "fp32";
  model.backends = model.answering = model.allowed = {"onnx"};
  model.labels = {"NEGATIVE", "NEUTRAL", "POSITIVE"};
  model.window = 256;
  model.files = {{"fp32.onnx", 12, std::string(64, 'a')}};
  model.source_sha256 = std::string(64, 'b');
  return model;
}

class World {
 public:
  explicit World(AppOptions options = {}, ModelDescription description = TinyModel())
      : series_(metrics.AddModel({description.name, description.labels, description.backends})),
        service(engine, series_, description, {}, clock),
        app(service, metrics, log, options) {
    service.SetReady();
  }

  std::vector<std::string> log_lines() const {
    MutexLock lock(mutex_);
    return log_lines_;
  }
  // The value of a sample by name and labels as the exposition writes them; nothing where it is absent.
  std::optional<double> Sample(const std::string& series) {
    std::istringstream lines(metrics.Scrape());
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
    }
    return std::nullopt;
  }

  ManualClock clock;
  Metrics metrics;
  Log log{LogLevel::kInfo, [this](std::string_view line) {
            MutexLock lock(mutex_);
            log_lines_.emplace_back(line);
          }};
  FakeEngine engine;

 private:
  ModelMetrics& series_;
  mutable Mutex mutex_;
  std::vector<std::string> log_lines_ KS_GUARDED_BY(mutex_);

 public:
  Service service;
  App app;
};

}  // namespace ks
