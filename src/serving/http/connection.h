// The connections of a server and the coroutine that serves each. Private to serving/http: it speaks Asio.
#pragma once

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "serving/http/app.h"
#include "serving/http/body_budget.h"
#include "serving/http/server.h"

namespace ks {

class Connection;

// Each I/O thread runs a context of its own and serves the connections that were given to it alone: what belongs to one
// connection needs no lock and no strand. The executor's type is written out because one that hides it allocates for each
// step.
using IoExecutor = boost::asio::io_context::executor_type;
using IoSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, IoExecutor>;
using IoTimer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;
template <typename T>
using IoTask = boost::asio::awaitable<T, IoExecutor>;
// Operations return their error beside their result; nothing throws.
inline constexpr auto kIoAwait = boost::asio::as_tuple(boost::asio::use_awaitable_t<IoExecutor>());

// Who is connected, and how many answers the app still owes: what Stop waits for.
class Connections {
 public:
  void Add(const std::shared_ptr<Connection>& connection) {
    MutexLock lock(mutex_);
    open_.insert(connection.get());
  }
  void Remove(Connection* connection) {
    MutexLock lock(mutex_);
    open_.erase(connection);
    if (IsEmpty()) empty_.NotifyAll();
  }
  // Around a reply on a thread of somebody else's, which touches an I/O thread's context.
  void BeginReply() {
    MutexLock lock(mutex_);
    ++replies_;
  }
  void EndReply() {
    MutexLock lock(mutex_);
    --replies_;
    if (IsEmpty()) empty_.NotifyAll();
  }
  int size() const {
    MutexLock lock(mutex_);
    return static_cast<int>(open_.size());
  }
  // Ends those that wait for a request, and the others after their answer.
  void EndWhenIdle() const;
  // Ends each as soon as the app owes it no answer.
  void EndNow() const;
  // False where some are left after `timeout`.
  bool WaitUntilEmpty(Duration timeout) {
    const TimePoint deadline = SystemClock().Now() + timeout;
    MutexLock lock(mutex_);
    while (!IsEmpty()) {
      const Duration left = deadline - SystemClock().Now();
      if (left <= Duration::zero()) return false;
      empty_.WaitFor(mutex_, left);
    }
    return true;
  }
  void WaitUntilEmpty() {
    MutexLock lock(mutex_);
    while (!IsEmpty()) empty_.Wait(mutex_);
  }

 private:
  std::vector<std::shared_ptr<Connection>> List() const;
  bool IsEmpty() const KS_REQUIRES(mutex_) { return open_.empty() && replies_ == 0; }

  mutable Mutex mutex_;
  CondVar empty_;
  std::unordered_set<Connection*> open_ KS_GUARDED_BY(mutex_);
  int replies_ KS_GUARDED_BY(mutex_) = 0;
};

// What the connections of a server share; outlives them.
struct ConnectionContext {
  const HttpServerOptions& options;
  App& app;
  boost::asio::io_context& helper;
  BodyBudget bodies;
  Connections connections{};
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> refused{0};  // answers that the queue is full, ever
};

// Serves `socket` until the client or the server ends the connection, in a coroutine on the socket's executor, whose
// context one thread runs. Above max_connections the client is told so instead. From any thread.
void StartConnection(IoSocket socket, ConnectionContext& context);

}  // namespace ks
