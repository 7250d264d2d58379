// A socket's descriptor, closed with its owner.
#pragma once

#include <unistd.h>

namespace ks {

class Socket {
 public:
  // Takes what socket() returned, -1 included: then errno says why.
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace ks
