// Listening, accepting, stopping; connection.h serves the clients. Tested by server_test.cc over real sockets.
#include "serving/http/server.h"

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/thread.h"
#include "serving/http/connection.h"

namespace ks {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

using Acceptor = asio::basic_socket_acceptor<tcp, IoExecutor>;

constexpr Duration kAcceptPause = std::chrono::milliseconds(50);  // when the process has no descriptor left
constexpr Duration kRestAfterRefusals = std::chrono::milliseconds(5);

absl::StatusOr<tcp::endpoint> ResolveListen(const std::string& listen, asio::io_context& context) {
  const size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, std::min(colon, listen.size()));
  uint16_t port = 0;
  const char* const end = listen.data() + listen.size();
  const auto [parsed, failure] = colon == std::string::npos ? std::from_chars_result{end, std::errc::invalid_argument}
                                                            : std::from_chars(listen.data() + colon + 1, end, port);
  if (failure != std::errc() || parsed != end || host.empty()) {
    return InvalidArgument("listen: expected address:port, found \"", listen, "\"");
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  error_code error;
  if (const auto address = asio::ip::make_address(host, error); !error) return tcp::endpoint(address, port);
  const auto found = tcp::resolver(context).resolve(host, "", error);
  if (error || found.empty()) return InvalidArgument("listen: no address for \"", host, "\": ", error.message());
  return tcp::endpoint(found.begin()->endpoint().address(), port);
}

absl::Status OpenAcceptor(const tcp::endpoint& endpoint, std::string_view listen, Acceptor& acceptor) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error ? ErrnoStatus(error.value(), Cat("listen ", listen)) : absl::OkStatus();
}

std::string ToString(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? Cat("[", address, "]:", endpoint.port()) : Cat(address, ":", endpoint.port());
}

// A context and the thread that runs it until nothing is left to do there.
class ContextThread {
 public:
  explicit ContextThread(std::string name) : name_(std::move(name)) {}

  asio::io_context& context() { return context_; }
  // `after_round` whenever all that was ready has been done.
  void Start(std::function<void()> after_round) {
    thread_ = std::make_unique<Thread>(name_, [this, after_round = std::move(after_round)] {
      while (context_.run_one() > 0) {
        context_.poll();
        after_round();
      }
    });
  }
  void FinishAndJoin() {
    guard_.reset();
    thread_.reset();
  }

 private:
  const std::string name_;
  asio::io_context context_{1};  // threads that run it
  asio::executor_work_guard<IoExecutor> guard_{context_.get_executor()};
  std::unique_ptr<Thread> thread_;
};

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpServerOptions& server_options, App& app)
      : options(server_options),
        io(MakeIoThreads(options.io_threads)),
        shared{options, app, helper.context(), BodyBudget(kBodiesAtOnce * app.options().max_body_bytes)} {}

  static std::vector<std::unique_ptr<ContextThread>> MakeIoThreads(int count) {
    std::vector<std::unique_ptr<ContextThread>> threads;
    for (int i = 0; i < std::max(1, count); ++i) threads.push_back(std::make_unique<ContextThread>(Cat("ks-http-", i)));
    return threads;
  }

  // On the first I/O thread. Connections go to the threads in turn.
  IoTask<void> Accept() {
    for (size_t turn = 0; !shared.stopping; turn = (turn + 1) % io.size()) {
      auto [error, socket] = co_await acceptor.async_accept(io[turn]->context(), kIoAwait);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        accept_pause.expires_after(kAcceptPause);
        co_await accept_pause.async_wait(kIoAwait);
        continue;
      }
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      StartConnection(std::move(socket), shared);
    }
  }

  void Start() {
    asio::co_spawn(io[0]->context(), Accept(), asio::detached);
    for (const auto& thread : io) thread->Start([this, seen = uint64_t{0}]() mutable { RestAfterRefusals(seen); });
    helper.Start([] {});
    running = true;
  }

  // Where the queue is full, each refusal alone would take a core from the workers, and find its own memory gone from the
  // caches: what comes during a rest is done in one go, for half of the time each.
  void RestAfterRefusals(uint64_t& seen) {
    const uint64_t refused = shared.refused.load(std::memory_order_relaxed);
    if (refused == seen) return;
    seen = refused;
    std::this_thread::sleep_for(kRestAfterRefusals);
  }

  void Stop(Duration grace) {
    if (!std::exchange(running, false)) return;
    shared.stopping = true;
    asio::post(io[0]->context(), [this] {
      error_code ignored;
      acceptor.close(ignored);
      accept_pause.cancel();
    });
    shared.connections.EndWhenIdle();
    if (!shared.connections.WaitUntilEmpty(grace)) {
      shared.connections.EndNow();
      shared.connections.WaitUntilEmpty();
    }
    for (const auto& thread : io) thread->FinishAndJoin();
    helper.FinishAndJoin();
  }

  const HttpServerOptions options;
  const std::vector<std::unique_ptr<ContextThread>> io;
  ContextThread helper{"ks-http-long"};
  ConnectionContext shared;
  Acceptor acceptor{io[0]->context()};
  IoTimer accept_pause{io[0]->context()};
  bool running = false;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { Stop(Duration::zero()); }

int HttpServer::connections() const { return impl_->shared.connections.size(); }

void HttpServer::Stop(Duration grace) { impl_->Stop(grace); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, App& app) {
  auto impl = std::make_unique<Impl>(options, app);
  const absl::StatusOr<tcp::endpoint> endpoint = ResolveListen(options.listen, impl->io[0]->context());
  if (!endpoint.ok()) return endpoint.status();
  if (absl::Status status = OpenAcceptor(*endpoint, options.listen, impl->acceptor); !status.ok()) return status;

  std::unique_ptr<HttpServer> server(new HttpServer(std::move(impl)));
  error_code ignored;
  const tcp::endpoint bound = server->impl_->acceptor.local_endpoint(ignored);
  server->address_ = ToString(bound);
  server->port_ = bound.port();
  server->impl_->Start();
  return server;
}

}  // namespace ks
