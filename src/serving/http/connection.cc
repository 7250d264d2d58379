// One coroutine a connection, on one I/O thread. Beast parses heads and bodies; answers are written as two buffers. Tested
// by server_test.cc over real sockets.
#include "serving/http/connection.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "base/strings.h"
#include "serving/http/wire_format.h"

namespace ks {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr size_t kLongBodyBytes = 8 << 10;  // longer ones are handled on the helper thread
// A refused request's body is read, to keep the connection, up to this.
constexpr size_t kDiscardedBodyBytes = 64 << 10;
constexpr size_t kLingerBytes = 16 << 20;  // read after the last answer, so that it is not lost in a reset
constexpr Duration kLinger = std::chrono::seconds(2);

}  // namespace

// One client. Everything but the constructor runs on the connection's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(IoSocket socket, ConnectionContext& shared)
      : shared_(shared), socket_(std::move(socket)), timer_(socket_.get_executor()) {}

  // Whoever spawns this keeps the object alive to its end: a coroutine starts later than it is made.
  IoTask<void> Run() {
    try {
      while (co_await ServeOne()) {
      }
    } catch (const std::exception&) {
      // Memory: this connection ends, the others go on.
    }
    Close();
    shared_.connections.Remove(this);
  }

  IoTask<void> RefuseForLimit() {
    const HttpResponse refusal = shared_.app.Refuse({}, TooManyConnections());
    co_await End(refusal, false);
    Close();
  }

  // From any thread: ends the connection if it waits for a request, otherwise after its answer.
  void EndWhenIdle() {
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->idle_) self->CancelOperation();
    });
  }
  // From any thread: ends the connection as soon as the app owes it no answer.
  void EndNow() {
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->Close(); });
  }

 private:
  void Close() {
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

  // --- Time limits ---
  // The operation that follows ends with operation_aborted and timed_out_ after `limit`. One timer serves all: it is
  // only moved when it would fire too late, so a request costs no timer operation as a rule. Firing between operations,
  // while the engine works, it finds nothing to end but the watch for the client's leaving, which begins anew.
  void SetDeadline(Duration limit) {
    deadline_ = SteadyClock::now() + limit;
    timed_out_ = false;
    if (!timer_pending_ || deadline_ < timer_.expiry()) StartTimer();
  }
  void StartTimer() {
    timer_pending_ = true;
    timer_.expires_at(deadline_);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->OnTimer();
    });
  }
  void OnTimer() {
    timer_pending_ = false;
    if (!socket_.is_open()) return;  // it fired just before the end: waiting again would hold up Stop
    if (SteadyClock::now() < deadline_) return StartTimer();
    timed_out_ = true;
    CancelOperation();
  }
  void CancelOperation() {
    error_code ignored;
    socket_.cancel(ignored);
  }

  // --- One request ---
  // False: the connection ends.
  IoTask<bool> ServeOne() {
    if (buffer_.size() == 0 && !co_await WaitForBytes()) co_return false;

    Parser parser;
    parser.header_limit(static_cast<uint32_t>(shared_.options.max_header_bytes));
    parser.body_limit(shared_.app.options().max_body_bytes);
    SetDeadline(shared_.options.header_timeout);
    const error_code error = co_await ReadHead(parser);
    HttpRequest request = HeadOf(parser);
    if (error) co_return co_await EndAfterBadRequest(request, error, "head");

    BodyBudget::Share share(shared_.bodies);
    if (!parser.is_done()) {
      const std::optional<Problem> problem = shared_.app.CheckHead(request);
      if (problem.has_value() && !IsWorthDiscarding(parser, request)) {
        const HttpResponse refusal = shared_.app.Refuse(request, *problem);
        co_return co_await End(refusal, request.method == "HEAD");
      }
      SetDeadline(shared_.options.body_timeout);
      if (ExpectsContinue(request) && !co_await SendContinue()) co_return false;
      parser.eager(true);
      while (!parser.is_done()) {
        const error_code body_error = co_await ReadSome(parser);
        if (body_error) co_return co_await EndAfterBadRequest(request, body_error, "body");
        // What has come counts, not what is announced: a client that announces much and sends nothing holds nothing.
        if (!share.GrowTo(parser.get().body().size())) {
          const HttpResponse refusal = shared_.app.Refuse(request, TooManyBodies());
          co_return co_await End(refusal, request.method == "HEAD");
        }
      }
    }
    request.body = std::move(parser.get().body());

    const bool keep_alive = parser.keep_alive();
    const bool is_head = request.method == "HEAD";
    HttpResponse response;
    {
      const MakeHttpResponse make = co_await Ask(std::move(request));
      StopWatching();
      response = make();
    }
    if (response.status == RowOf(WireError::kQueueFull).http_status) {
      shared_.refused.fetch_add(1, std::memory_order_relaxed);
    }
    share.Release();  // the body went with the call: a client that is slow to read holds its answer alone
    if (!keep_alive || client_left_ || shared_.stopping) response.close = true;
    if (response.close) co_return co_await End(response, is_head);
    co_return co_await Send(response, is_head);
  }

  // What has come to the parser, or else more from the client. Beast's own loops hand each step over to the executor.
  IoTask<error_code> ReadSome(Parser& parser) {
    if (buffer_.size() > 0) {
      error_code error;
      const size_t taken = parser.put(buffer_.data(), error);
      buffer_.consume(taken);
      if (error && error != http::error::need_more) co_return error;
      if (!error && taken > 0) co_return error_code();
    }
    const auto [error, read] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kIoAwait);
    buffer_.commit(read);
    co_return error;
  }

  IoTask<error_code> ReadHead(Parser& parser) {
    error_code error;
    while (!error && !parser.is_header_done()) error = co_await ReadSome(parser);
    co_return error;
  }

  // Between requests: false when the client leaves, is silent for too long, or the server stops. The first bytes of a
  // connection must come as soon as a head must.
  IoTask<bool> WaitForBytes() {
    if (shared_.stopping) co_return false;
    SetDeadline(is_first_ ? shared_.options.header_timeout : shared_.options.idle_timeout);
    is_first_ = false;
    idle_ = true;
    const auto [error, read] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kIoAwait);
    idle_ = false;
    buffer_.commit(read);
    co_return !error;
  }

  static HttpRequest HeadOf(const Parser& parser) {
    const auto& message = parser.get();
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.headers.reserve(static_cast<size_t>(std::distance(message.begin(), message.end())));
    for (const auto& field : message) {
      request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    return request;
  }

  static bool ExpectsContinue(const HttpRequest& request) {
    const std::string* expect = request.FindHeader("Expect");
    return expect != nullptr && EqualsIgnoringCase(TrimBlanks(*expect), "100-continue");
  }

  // Whether a request that is refused by its head has a body so small that reading it costs less than a new connection.
  static bool IsWorthDiscarding(const Parser& parser, const HttpRequest& request) {
    const auto length = parser.content_length();
    return length.has_value() && *length <= kDiscardedBodyBytes && !ExpectsContinue(request);
  }

  IoTask<bool> SendContinue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [error, written] = co_await asio::async_write(socket_, asio::buffer(kContinue), kIoAwait);
    std::ignore = written;
    co_return !error;
  }

  // A request that the app has. Emptied by its answer: what a worker keeps of it longer holds nothing of this server.
  struct Pending {
    std::shared_ptr<Connection> connection;  // until the reply
    // Of the connection's thread alone:
    std::optional<MakeHttpResponse> answer = {};
    std::function<void()> resume = {};  // where the coroutine waits for it
  };

  // The app's answer. The app may reply on any thread, at once or later; what it says at once costs no way through the
  // context.
  IoTask<MakeHttpResponse> Ask(HttpRequest request) {
    const auto pending = std::make_shared<Pending>(Pending{.connection = shared_from_this()});
    HttpReply reply = [pending](MakeHttpResponse make) { Reply(pending, std::move(make)); };
    const uint64_t asking = ++asking_;
    if (request.body.size() <= kLongBodyBytes) {
      Engine::Ticket ticket = shared_.app.Handle(std::move(request), std::move(reply));
      if (!pending->answer.has_value()) Watch(asking, std::move(ticket));
    } else {
      asio::post(shared_.helper,
                 [self = shared_from_this(), asking, asked = std::move(request), reply = std::move(reply)]() mutable {
                   Engine::Ticket ticket = self->shared_.app.Handle(std::move(asked), std::move(reply));
                   if (ticket.expired()) return;
                   asio::post(self->socket_.get_executor(), [self, asking, ticket = std::move(ticket)]() mutable {
                     self->Watch(asking, std::move(ticket));
                   });
                 });
    }
    if (!pending->answer.has_value()) co_await Wait(pending);
    co_return *std::exchange(pending->answer, std::nullopt);
  }

  // No coroutine: g++ 12 destroys what a lambda within a co_await captures twice.
  static IoTask<void> Wait(const std::shared_ptr<Pending>& pending) {
    return asio::async_initiate<const asio::use_awaitable_t<IoExecutor>&, void()>(
        [pending](auto handler) {
          // Shared, since a std::function is copyable and a coroutine's handler is not.
          const auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          pending->resume = [shared] { std::move (*shared)(); };
        },
        kAwait);
  }

  // From any thread, once.
  static void Reply(const std::shared_ptr<Pending>& pending, MakeHttpResponse make) {
    Connections& connections = pending->connection->shared_.connections;
    connections.BeginReply();
    {
      const auto connection = std::move(pending->connection);
      const IoExecutor executor = connection->socket_.get_executor();
      if (executor.running_in_this_thread() && !pending->resume) {
        pending->answer = std::move(make);
      } else {
        asio::post(executor, [connection, pending, make = std::move(make)]() mutable {
          pending->answer = std::move(make);
          if (const auto resume = std::exchange(pending->resume, nullptr)) resume();
        });
      }
    }
    connections.EndReply();
  }

  // --- A client that leaves before its answer ---
  // Nothing is read while the app works, so the end of the stream would go unseen and the request be run for nobody.
  // What is `asking` tells what comes late of an earlier request.
  void Watch(uint64_t asking, Engine::Ticket ticket) {
    if (asking != asking_ || ticket.expired()) return;
    ticket_ = std::move(ticket);
    WaitUntilReadable();
  }
  void WaitUntilReadable() {
    watching_ = true;
    socket_.async_wait(IoSocket::wait_read, [self = shared_from_this(), asking = asking_](error_code) {
      if (asking == self->asking_ && self->watching_) self->OnReadable();
    });
  }
  void OnReadable() {
    watching_ = false;
    if (!socket_.is_open()) return;
    char byte = 0;
    const ssize_t peeked = recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (peeked > 0) return;  // the next request of a pipeline: the end of the stream lies behind it
    // Awake for nothing, or the timer's doing.
    if (peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return WaitUntilReadable();
    client_left_ = true;
    shared_.app.Cancel(ticket_);
  }
  void StopWatching() {
    ++asking_;
    ticket_.reset();
    if (std::exchange(watching_, false)) CancelOperation();
  }

  // --- Answers ---
  IoTask<bool> Send(const HttpResponse& response, bool is_head) {
    SetDeadline(shared_.options.body_timeout);
    const std::string head = FormatHead(response);
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head),
                                                       is_head ? asio::const_buffer() : asio::buffer(response.body)};
    const auto [error, written] = co_await asio::async_write(socket_, buffers, kIoAwait);
    std::ignore = written;
    co_return !error;
  }

  IoTask<bool> End(const HttpResponse& response, bool is_head) {
    HttpResponse last = response;
    last.close = true;
    if (co_await Send(last, is_head)) co_await Linger();
    co_return false;
  }

  // Bytes that arrive after the socket is closed make the kernel reset the connection, and the client may lose the
  // answer: so what is on its way is read, within limits.
  IoTask<void> Linger() {
    error_code error;
    socket_.shutdown(IoSocket::shutdown_send, error);
    SetDeadline(kLinger);
    std::vector<char> discarded(kLingerReadBytes);
    for (size_t total = 0; !error && total < kLingerBytes;) {
      const auto [read_error, read] = co_await socket_.async_read_some(asio::buffer(discarded), kIoAwait);
      error = read_error;
      total += read;
    }
  }

  // A request that did not come to its end. `part`: "head" or "body".
  IoTask<bool> EndAfterBadRequest(const HttpRequest& request, error_code error, std::string_view part) {
    const bool aborted = error == asio::error::operation_aborted;
    const bool is_http_error = error.category() == http::make_error_code(http::error::bad_method).category();
    if ((aborted && !timed_out_) || error == http::error::end_of_stream || error == http::error::partial_message ||
        (!aborted && !is_http_error)) {
      co_return false;  // the client left, or the server stops: nobody to answer
    }
    const HttpResponse refusal = shared_.app.Refuse(request, ProblemOfRead(request, error, part));
    co_return co_await End(refusal, false);
  }

  Problem TooManyConnections() const {
    return {WireError::kQueueFull,
            Cat("the server has ", shared_.options.max_connections, " connections (max-connections)"),
            std::chrono::seconds(1), ""};
  }

  Problem TooManyBodies() const {
    return {WireError::kQueueFull,
            Cat("the bodies of all requests in progress have more than ", shared_.bodies.max_bytes(), " bytes (",
                kBodiesAtOnce, " x max-body-bytes)"),
            std::chrono::seconds(1), ""};
  }

  Problem ProblemOfRead(const HttpRequest& request, error_code error, std::string_view part) const {
    const HttpServerOptions& options = shared_.options;
    if (timed_out_) {
      const bool is_head = part == "head";
      return {
          WireError::kRequestTimeout,
          Cat("the ", part, " did not come within ", Seconds(is_head ? options.header_timeout : options.body_timeout),
              " s (", part == "head" ? "header-timeout" : "body-timeout", ")"),
          {},
          ""};
    }
    if (error == http::error::body_limit) {
      const std::string* announced = request.FindHeader("Content-Length");
      return {WireError::kBodyTooLarge,
              Cat("the body has ", announced == nullptr ? "more" : *announced, " bytes, the limit is ",
                  shared_.app.options().max_body_bytes, " (max-body-bytes)"),
              {},
              ""};
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return {WireError::kHeaderTooLarge,
              Cat("request line and headers have more than ", options.max_header_bytes, " bytes (max-header-bytes)"),
              {},
              ""};
    }
    return {WireError::kBadBody, Cat("not HTTP/1.1: ", error.message()), {}, ""};
  }

  static constexpr asio::use_awaitable_t<IoExecutor> kAwait = {};
  static constexpr size_t kReadBytes = 4096;
  static constexpr size_t kLingerReadBytes = 64 << 10;

  ConnectionContext& shared_;
  IoSocket socket_;
  IoTimer timer_;
  boost::beast::flat_buffer buffer_;  // may hold the next requests of a pipeline
  SteadyClock::time_point deadline_;
  bool timed_out_ = false;
  bool timer_pending_ = false;
  bool is_first_ = true;
  bool idle_ = false;
  // Of the request that the app has.
  uint64_t asking_ = 0;
  Engine::Ticket ticket_;
  bool watching_ = false;
  bool client_left_ = false;
};

std::vector<std::shared_ptr<Connection>> Connections::List() const {
  std::vector<std::shared_ptr<Connection>> list;
  MutexLock lock(mutex_);
  for (Connection* connection : open_) {
    if (auto shared = connection->weak_from_this().lock()) list.push_back(std::move(shared));
  }
  return list;
}

void Connections::EndWhenIdle() const {
  for (const auto& connection : List()) connection->EndWhenIdle();
}

void Connections::EndNow() const {
  for (const auto& connection : List()) connection->EndNow();
}

void StartConnection(IoSocket socket, ConnectionContext& context) {
  const auto executor = socket.get_executor();
  const auto connection = std::make_shared<Connection>(std::move(socket), context);
  if (context.connections.size() >= context.options.max_connections) {
    asio::co_spawn(executor, [connection] { return connection->RefuseForLimit(); }, asio::detached);
    return;
  }
  context.connections.Add(connection);
  asio::co_spawn(executor, [connection] { return connection->Run(); }, asio::detached);
}

}  // namespace ks
