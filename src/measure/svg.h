// The plots of a report, as inline SVG. Colours are the page's CSS classes, so that they follow its scheme.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "measure/reliability.h"
#include "measure/statistics.h"

namespace ks {

// `text` where HTML and SVG expect text or an attribute's value.
std::string EscapeHtml(std::string_view text);

struct Bar {
  std::string label;  // below the bar
  double value = 0;
  std::string shown;  // above the bar, and its tooltip
};

struct BarChart {
  std::string title;        // for those who cannot see it
  std::string axis;         // what the labels are
  double from = 0, to = 1;  // what the height stands for; values outside are cut
  std::vector<Bar> bars;
};

// Requires to > from. A bar of a value above `from` is at least one pixel high, so that a single text shows.
std::string DrawBars(const BarChart& chart);

// Counts as a grid, darker for a larger share of its row; `names` of both rows and columns.
std::string DrawMatrix(const ConfusionMatrix& matrix, const std::vector<std::string>& names, std::string_view rows,
                       std::string_view columns);

// A reliability diagram: a bar for each bin with texts, as high as its accuracy, against the diagonal on which
// probabilities mean what they say; a mark at each bin's mean probability. Bars of few texts are pale.
std::string DrawReliability(const Reliability& reliability, std::string_view title);

}  // namespace ks
