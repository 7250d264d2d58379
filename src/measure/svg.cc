// Tested by report_test.cc.
#include "measure/svg.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/strings.h"

namespace ks {
namespace {

constexpr int kBarWidth = 46;
constexpr int kBarGap = 8;
constexpr int kPlotHeight = 160;
constexpr int kMargin = 24;
constexpr int kCell = 84;
constexpr int kCellHeight = 44;
constexpr int kNameWidth = 110;
constexpr int kSquare = 240;  // a reliability diagram's plot
constexpr size_t kLongestName = 14;

// A name that fits its place. Cut between characters.
std::string Shortened(const std::string& name) {
  if (name.size() <= kLongestName) return EscapeHtml(name);
  size_t end = kLongestName - 1;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return EscapeHtml(name.substr(0, end)) + "&#8230;";
}

void Text(std::string& svg, double x, double y, std::string_view anchor, std::string_view text) {
  absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", x, y, std::string(anchor),
                        std::string(text));
}

std::string Begin(int width, int height, std::string_view title) {
  return absl::StrFormat("<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\"><title>%s</title>", width,
                         height, width, height, EscapeHtml(title));
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // Control characters are no part of HTML, and of no use to a reader.
        out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c);
    }
  }
  return out;
}

std::string DrawBars(const BarChart& chart) {
  const int width = 2 * kMargin + static_cast<int>(chart.bars.size()) * (kBarWidth + kBarGap);
  const int base = kMargin + kPlotHeight;
  std::string svg = Begin(width, base + 2 * kMargin, chart.title);
  double x = kMargin + kBarGap / 2.0;
  for (const Bar& bar : chart.bars) {
    const double share = std::clamp((bar.value - chart.from) / (chart.to - chart.from), 0.0, 1.0);
    const double height = bar.value > chart.from ? std::max(1.0, share * kPlotHeight) : 0;
    absl::StrAppendFormat(
        &svg, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"><title>%s: %s</title></rect>", x,
        base - height, kBarWidth, height, EscapeHtml(bar.label), EscapeHtml(bar.shown));
    Text(svg, x + kBarWidth / 2.0, base - height - 4, "middle", EscapeHtml(bar.shown));
    Text(svg, x + kBarWidth / 2.0, base + 14, "middle", EscapeHtml(bar.label));
    x += kBarWidth + kBarGap;
  }
  absl::StrAppendFormat(&svg, "<path class=\"axis\" d=\"M%d %dH%d\"/>", kMargin, base, width - kMargin);
  Text(svg, width / 2.0, base + 34, "middle", EscapeHtml(chart.axis));
  return svg + "</svg>";
}

std::string DrawMatrix(const ConfusionMatrix& matrix, const std::vector<std::string>& names, std::string_view rows,
                       std::string_view columns) {
  const int classes = matrix.classes();
  const int top = 2 * kMargin;
  std::string svg = Begin(kNameWidth + classes * kCell + 4, top + classes * kCellHeight + 4,
                          Cat("rows: ", rows, ", columns: ", columns));
  Text(svg, kNameWidth + classes * kCell / 2.0, 14, "middle", EscapeHtml(columns));
  Text(svg, kNameWidth - 8, 14, "end", EscapeHtml(rows));
  for (int r = 0; r < classes; ++r) {
    int64_t all = 0;
    for (int c = 0; c < classes; ++c) all += matrix.count(r, c);
    const double y = top + r * kCellHeight;
    Text(svg, kNameWidth - 8, y + kCellHeight / 2.0 + 4, "end", Shortened(names[r]));
    Text(svg, kNameWidth + (r + 0.5) * kCell, top - 8, "middle", Shortened(names[r]));
    for (int c = 0; c < classes; ++c) {
      const double share = all == 0 ? 0 : static_cast<double>(matrix.count(r, c)) / static_cast<double>(all);
      absl::StrAppendFormat(
          &svg,
          "<rect class=\"cell\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill-opacity=\"%.3f\"><title>%.2f "
          "%%</title></rect>",
          kNameWidth + c * kCell, y, kCell - 2, kCellHeight - 2, 0.06 + 0.54 * share, 100 * share);
      Text(svg, kNameWidth + (c + 0.5) * kCell, y + kCellHeight / 2.0 + 4, "middle", Cat(matrix.count(r, c)));
    }
  }
  return svg + "</svg>";
}

std::string DrawReliability(const Reliability& reliability, std::string_view title) {
  const int left = 2 * kMargin;
  const int base = kMargin + kSquare;
  const auto x = [&](double probability) { return left + kSquare * probability; };
  const auto y = [&](double share) { return base - kSquare * share; };
  std::string svg = Begin(left + kSquare + kMargin, base + 2 * kMargin, title);
  int64_t most = 1;
  for (const ReliabilityBin& bin : reliability.bins) most = std::max(most, bin.texts);
  const auto bins = static_cast<double>(reliability.bins.size());
  for (size_t b = 0; b < reliability.bins.size(); ++b) {
    const ReliabilityBin& bin = reliability.bins[b];
    if (bin.texts == 0) continue;
    const double from = static_cast<double>(b) / bins;
    const double share = static_cast<double>(bin.texts) / static_cast<double>(most);
    absl::StrAppendFormat(
        &svg,
        "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill-opacity=\"%.3f\">"
        "<title>%d texts: mean probability %.3f, accuracy %.3f</title></rect>",
        x(from) + 1, y(bin.accuracy), kSquare / bins - 2, kSquare * bin.accuracy, 0.25 + 0.75 * share, bin.texts,
        bin.confidence, bin.accuracy);
    absl::StrAppendFormat(&svg, "<circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", x(bin.confidence),
                          y(bin.confidence));
  }
  absl::StrAppendFormat(&svg, "<path class=\"axis\" stroke-dasharray=\"4\" d=\"M%d %dL%d %d\"/>", left, base,
                        left + kSquare, kMargin);
  absl::StrAppendFormat(&svg, "<path class=\"axis\" fill=\"none\" d=\"M%d %dV%dH%d\"/>", left, kMargin, base,
                        left + kSquare);
  for (const double tick : {0.0, 0.5, 1.0}) {
    Text(svg, x(tick), base + 14, "middle", Cat(tick));
    Text(svg, left - 6, y(tick) + 4, "end", Cat(tick));
  }
  Text(svg, x(0.5), base + 34, "middle", "top probability");
  Text(svg, left - 6, kMargin - 10, "middle", "accuracy");
  return svg + "</svg>";
}

}  // namespace ks
