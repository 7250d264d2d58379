// The JSON bodies of answers, and the headers that go with them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "engine/engine.h"
#include "serving/error_map.h"
#include "serving/http/message.h"
#include "serving/service.h"

namespace ks {

// Errors of the REST routes.
HttpResponse RestError(const Problem& problem, std::string_view correlation_id,
                       std::chrono::system_clock::time_point now);
// Errors of the Hugging Face routes.
HttpResponse HuggingFaceError(const Problem& problem);

// One prediction as /predict answers it. `text_length` in code points.
std::string PredictionJson(const ModelDescription& model, const Classification& result, std::string_view backend,
                           std::string_view prediction_id, size_t text_length);

// One list of labels and scores an input, highest first.
std::string HuggingFaceJson(const ModelDescription& model, const ClassifyResult& result);

// X-Model-Backend, X-Inference-Time-MS, Server-Timing.
void AddTimings(const ClassifyResult& result, HttpResponse& response);

std::string ModelInfoJson(const Service& service);
std::string HealthJson(const Service& service);

}  // namespace ks
