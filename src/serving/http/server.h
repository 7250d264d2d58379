// HTTP/1.1 over TCP in front of an App: connections, limits, timeouts.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace ks {

class App;

struct HttpServerOptions {
  std::string listen = "127.0.0.1:8000";  // address:port, [address]:port, name:port; port 0 takes a free one
  int io_threads = 1;
  size_t max_header_bytes = 32 << 10;                  // request line and headers
  Duration header_timeout = std::chrono::seconds(10);  // for a head, and for the first byte of a connection
  Duration body_timeout = std::chrono::seconds(30);    // for a body, and for the client to take an answer
  Duration idle_timeout = std::chrono::seconds(75);    // between requests
  int max_connections = 10000;                         // one more is answered 429 and closed
};

// The bodies of all requests in progress together have at most this many times App's max_body_bytes: a request with which
// they would pass it is answered 429, and its connection closed.
inline constexpr size_t kBodiesAtOnce = 8;

// Serves from Start to Stop. Requests of one connection are answered one after the other, in order; those of different
// connections are independent. An answer that must wait for the engine blocks no thread here.
//
// Stopping without a lost request:
//   service.BeginDrain();        // readiness fails, every answer closes its connection; still accepting
//   (wait for drain-delay)
//   engine.Drain(drain_timeout)  // new requests are answered 503
//   server->Stop(grace);
class HttpServer {
 public:
  // Binds, listens and starts the threads: `io_threads` that serve, and one for requests with long bodies, whose
  // parsing and tokenising would hold up the others. `app` must outlive the server. Errors: kInvalidArgument (`listen`
  // is no address and port), otherwise what the system says, e.g. "listen 127.0.0.1:8000: Address already in use".
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, App& app);

  // Stops without grace.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // "127.0.0.1:8000", with the port that was taken.
  const std::string& address() const { return address_; }
  uint16_t port() const { return port_; }
  int connections() const;

  // Accepts no more, closes idle connections, lets requests in progress be answered for at most `grace`, then closes
  // all and joins the threads. Blocks; waits for every answer that the engine still owes, so drain it before. Further
  // calls return at once. Not from a thread of the server's.
  void Stop(Duration grace);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  std::string address_;
  uint16_t port_ = 0;
};

}  // namespace ks
