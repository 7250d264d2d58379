// A load generator for one server: open loop (--rate R: requests leave at exponential gaps, as from many independent
// clients) or closed loop (no rate: every connection asks again as soon as it has its answer, as wrk does).
//
//   load --port 8000 --path /api/v1/predict --bodies FILE --connections 8 --seconds 5 [--rate 200] [--seed 1] [--warm-up 1]
//
// With --round-ms R an open loop's thread sleeps R ms at a time: what is due then leaves, and what has come is read, in one
// go. For a generator that shares its cores with what it measures, where waking for each request would disturb more than
// R ms of lateness do.
//
// FILE holds one JSON body a line; requests take them in turn. The latency of an open loop counts from the moment a
// request was meant to leave: a server that stalls makes all that wait behind it late, and that shows. Connections are
// kept alive. One thread: a request costs some 15 us here. Prints one JSON object; percentiles are exact, those of "ok" are
// of the answers with status 200 alone.
//
// Checked against wrk by check_wrk.py.
#include <algorithm>
#include <boost/asio.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

namespace {

struct Options {
  std::string host = "127.0.0.1", path = "/api/v1/predict", bodies;
  int port = 8000, connections = 1;
  double seconds = 5, warm_up = 1, rate = 0, round_ms = 0;
  unsigned seed = 1;
};

// Of the requests meant to leave between the end of the warm-up and the end; in a closed loop, answered in that time.
struct Counts {
  std::vector<double> milliseconds;     // of all
  std::vector<double> ok_milliseconds;  // of those with status 200
  std::map<int, long> statuses;         // of the others
};

class Load {
 public:
  Load(const Options& options, std::vector<std::string> bodies)
      : options_(options), timer_(io_), random_(options.seed), started_(Clock::now()) {
    for (const std::string& body : bodies) {
      requests_.push_back("POST " + options.path + " HTTP/1.1\r\nHost: " + options.host +
                          "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                          "\r\n\r\n" + body);
    }
  }

  Counts Run() {
    for (int i = 0; i < options_.connections; ++i) {
      asio::co_spawn(io_, Connection(), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
      });
    }
    if (options_.rate > 0) ScheduleNext(started_);
    if (options_.round_ms > 0) {
      RunInRounds();
    } else {
      io_.run();
    }
    return std::move(counts_);
  }

 private:
  static constexpr double kBillion = 1e9;
  Clock::time_point After(double seconds) const {
    return started_ + std::chrono::nanoseconds(static_cast<int64_t>(seconds * kBillion));
  }
  Clock::time_point end() const { return After(options_.warm_up + options_.seconds); }

  void RunInRounds() {
    while (true) {
      io_.poll();
      if (io_.stopped()) return;
      std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(options_.round_ms));
    }
  }

  // Open loop: appoints the departure that follows the one at `last`. A late timer lets several leave at once, each with
  // its own intended time.
  void ScheduleNext(Clock::time_point last) {
    const double uniform = (random_() + 0.5) / 4294967296.0;
    const auto gap = std::chrono::nanoseconds(static_cast<int64_t>(-std::log(uniform) / options_.rate * kBillion));
    const Clock::time_point departure = last + gap;
    if (departure >= end()) {
      closing_ = true;
      WakeAll();
      return;
    }
    timer_.expires_at(departure);
    timer_.async_wait([this, departure](boost::system::error_code) {
      waiting_.push_back(departure);
      if (!idle_.empty()) {
        asio::steady_timer* connection = idle_.front();
        idle_.pop_front();
        connection->cancel();
      }
      ScheduleNext(departure);
    });
  }

  void WakeAll() {
    for (asio::steady_timer* connection : idle_) connection->cancel();
    idle_.clear();
  }

  // When the next request of this connection is meant to leave: now in a closed loop, otherwise when one is due. Nothing
  // at the end.
  asio::awaitable<std::optional<Clock::time_point>> NextDeparture(asio::steady_timer& wake) {
    if (options_.rate <= 0) {
      const Clock::time_point now = Clock::now();
      co_return now < end() ? std::optional(now) : std::nullopt;
    }
    while (waiting_.empty()) {
      if (closing_) co_return std::nullopt;
      idle_.push_back(&wake);
      wake.expires_at(Clock::time_point::max());
      boost::system::error_code cancelled;
      co_await wake.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }
    const Clock::time_point departure = waiting_.front();
    waiting_.pop_front();
    co_return departure;
  }

  asio::awaitable<void> Connection() {
    asio::ip::tcp::socket socket(io_);
    asio::steady_timer wake(io_);
    const asio::ip::tcp::endpoint server(asio::ip::make_address(options_.host),
                                         static_cast<unsigned short>(options_.port));
    std::string received;
    while (const auto departure = co_await NextDeparture(wake)) {
      if (!socket.is_open()) {
        co_await socket.async_connect(server, asio::use_awaitable);
        socket.set_option(asio::ip::tcp::no_delay(true));
      }
      co_await asio::async_write(socket, asio::buffer(requests_[next_++ % requests_.size()]), asio::use_awaitable);
      const size_t head =
          co_await asio::async_read_until(socket, asio::dynamic_buffer(received), "\r\n\r\n", asio::use_awaitable);
      std::transform(received.begin(), received.begin() + static_cast<long>(head), received.begin(), ::tolower);
      const size_t size = head + ContentLength(std::string_view(received).substr(0, head));
      if (received.size() < size) {
        co_await asio::async_read(socket, asio::dynamic_buffer(received),
                                  asio::transfer_exactly(size - received.size()), asio::use_awaitable);
      }
      int status = 0;
      std::from_chars(received.data() + std::min<size_t>(9, head), received.data() + head, status);
      Count(*departure, status);
      const bool closes = std::string_view(received).substr(0, head).find("connection: close") != std::string::npos;
      received.erase(0, size);
      if (closes) socket.close();
    }
  }

  static size_t ContentLength(std::string_view head) {
    constexpr std::string_view kName = "\r\ncontent-length:";
    const size_t at = head.find(kName);
    if (at == std::string_view::npos) throw std::runtime_error("an answer without Content-Length");
    const size_t digits = head.find_first_not_of(' ', at + kName.size());
    size_t length = 0;
    std::from_chars(head.data() + digits, head.data() + head.size(), length);
    return length;
  }

  void Count(Clock::time_point departure, int status) {
    const Clock::time_point now = Clock::now();
    // A closed loop is a rate of answers, whenever they were asked for: otherwise slow servers would lose those on the way.
    const bool counts =
        options_.rate > 0 ? departure >= After(options_.warm_up) : now >= After(options_.warm_up) && now <= end();
    if (!counts) return;
    const double milliseconds = std::chrono::duration<double, std::milli>(now - departure).count();
    counts_.milliseconds.push_back(milliseconds);
    if (status == 200) {
      counts_.ok_milliseconds.push_back(milliseconds);
    } else {
      ++counts_.statuses[status];
    }
  }

  const Options options_;
  asio::io_context io_{1};
  asio::steady_timer timer_;
  std::mt19937 random_;
  const Clock::time_point started_;
  std::vector<std::string> requests_;
  size_t next_ = 0;
  std::deque<Clock::time_point> waiting_;  // departures that are due and that no connection took yet
  std::deque<asio::steady_timer*> idle_;   // connections that wait for one
  bool closing_ = false;
  Counts counts_;
};

// The smallest time that `percent` % of the sorted `times` do not exceed.
double Percentile(const std::vector<double>& times, double percent) {
  if (times.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(static_cast<double>(times.size()) * percent / 100));
  return times[std::clamp<size_t>(rank, 1, times.size()) - 1];
}

int Usage(const std::string& problem) {
  std::fprintf(stderr, "load: %s; the options stand at the top of bench/load/load.cc\n", problem.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  const std::map<std::string, std::string*> texts = {
      {"--host", &options.host}, {"--path", &options.path}, {"--bodies", &options.bodies}};
  const std::map<std::string, double*> reals = {{"--seconds", &options.seconds},
                                                {"--warm-up", &options.warm_up},
                                                {"--rate", &options.rate},
                                                {"--round-ms", &options.round_ms}};
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) return Usage("expected a value after " + name);
    if (texts.contains(name)) {
      *texts.at(name) = argv[i + 1];
    } else if (reals.contains(name)) {
      *reals.at(name) = std::stod(argv[i + 1]);
    } else if (name == "--port") {
      options.port = std::stoi(argv[i + 1]);
    } else if (name == "--connections") {
      options.connections = std::stoi(argv[i + 1]);
    } else if (name == "--seed") {
      options.seed = static_cast<unsigned>(std::stoul(argv[i + 1]));
    } else {
      return Usage("unknown option " + name);
    }
  }
  if (options.round_ms > 0 && options.rate <= 0) return Usage("--round-ms expects --rate");
  std::ifstream file(options.bodies);
  std::vector<std::string> bodies;
  for (std::string line; std::getline(file, line);) bodies.push_back(line);
  if (bodies.empty()) return Usage("--bodies " + options.bodies + ": expected a body a line, found none");

  Counts counts = Load(options, std::move(bodies)).Run();
  std::vector<double>& times = counts.milliseconds;
  std::vector<double>& ok = counts.ok_milliseconds;
  std::sort(times.begin(), times.end());
  std::sort(ok.begin(), ok.end());
  const size_t errors = times.size() - ok.size();
  std::printf(
      "{\"requests\":%zu,\"errors\":%zu,\"requests_per_second\":%.1f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,"
      "\"p999_ms\":%.3f,\"max_ms\":%.3f,\"ok\":{\"per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f},\"statuses\":{",
      times.size(), errors, static_cast<double>(times.size()) / options.seconds, Percentile(times, 50),
      Percentile(times, 90), Percentile(times, 99), Percentile(times, 99.9), Percentile(times, 100),
      static_cast<double>(ok.size()) / options.seconds, Percentile(ok, 50), Percentile(ok, 99));
  const char* separator = "";
  for (const auto& [status, count] : counts.statuses) {
    std::printf("%s\"%d\":%ld", separator, status, count);
    separator = ",";
  }
  std::printf("}}\n");
  return errors == 0 ? 0 : 1;
} catch (const boost::system::system_error& failure) {
  std::fprintf(stderr, "load: %s\n", failure.code().message().c_str());
  return 1;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "load: %s\n", failure.what());
  return 1;
}
