// Listening, accepting, stopping; connection.h serves the clients. Tested by server_test.cc over real sockets.
#include "serving/http/server.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
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

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr Duration kAcceptPause = std::chrono::milliseconds(50);  // when the process has no descriptor left

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

absl::Status OpenAcceptor(const tcp::endpoint& endpoint, std::string_view listen, tcp::acceptor& acceptor) {
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

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpServerOptions& server_options, App& app)
      : options(server_options),
        context(std::max(1, options.io_threads)),
        shared{options, app, helper_context, BodyBudget(kBodiesAtOnce * app.options().max_body_bytes)} {}

  asio::awaitable<void> Accept() {
    while (!shared.stopping) {
      auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(context), kAwaitTuple);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        accept_pause.expires_after(kAcceptPause);
        co_await accept_pause.async_wait(kAwaitTuple);
        continue;
      }
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      StartConnection(std::move(socket), shared);
    }
  }

  void Stop(Duration grace) {
    if (threads.empty()) return;
    shared.stopping = true;
    asio::post(context, [this] {
      error_code ignored;
      acceptor.close(ignored);
      accept_pause.cancel();
    });
    shared.connections.EndWhenIdle();
    if (!shared.connections.WaitUntilEmpty(grace)) {
      shared.connections.EndNow();
      shared.connections.WaitUntilEmpty();
    }
    guard.reset();
    helper_guard.reset();
    threads.clear();  // joins
  }

  const HttpServerOptions options;
  asio::io_context context;
  asio::io_context helper_context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  asio::executor_work_guard<asio::io_context::executor_type> helper_guard{helper_context.get_executor()};
  ConnectionContext shared;
  tcp::acceptor acceptor{context};
  asio::steady_timer accept_pause{context};
  std::vector<std::unique_ptr<Thread>> threads;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { Stop(Duration::zero()); }

int HttpServer::connections() const { return impl_->shared.connections.size(); }

void HttpServer::Stop(Duration grace) { impl_->Stop(grace); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, App& app) {
  auto impl = std::make_unique<Impl>(options, app);
  const absl::StatusOr<tcp::endpoint> endpoint = ResolveListen(options.listen, impl->context);
  if (!endpoint.ok()) return endpoint.status();
  if (absl::Status status = OpenAcceptor(*endpoint, options.listen, impl->acceptor); !status.ok()) return status;

  std::unique_ptr<HttpServer> server(new HttpServer(std::move(impl)));
  Impl& running = *server->impl_;
  error_code ignored;
  const tcp::endpoint bound = running.acceptor.local_endpoint(ignored);
  server->address_ = ToString(bound);
  server->port_ = bound.port();
  asio::co_spawn(running.context, running.Accept(), asio::detached);
  for (int i = 0; i < std::max(1, options.io_threads); ++i) {
    running.threads.push_back(std::make_unique<Thread>(Cat("ks-http-", i), [&running] { running.context.run(); }));
  }
  running.threads.push_back(std::make_unique<Thread>("ks-http-long", [&running] { running.helper_context.run(); }));
  return server;
}

}  // namespace ks
