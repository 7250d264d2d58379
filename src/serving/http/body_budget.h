// The memory that request bodies take, over all connections of a server.
#pragma once

#include <atomic>
#include <cstddef>

namespace ks {

// All methods are safe from any thread.
class BodyBudget {
 public:
  explicit BodyBudget(size_t max_bytes) : max_bytes_(max_bytes) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  size_t max_bytes() const { return max_bytes_; }

  // What one request holds, given back at its end. One thread at a time; the budget must outlive it.
  class Share {
   public:
    explicit Share(BodyBudget& budget) : budget_(budget) {}
    ~Share() { Release(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Holds `bytes` in all, no fewer than before; false, and nothing changed, where that passes the budget.
    bool GrowTo(size_t bytes) {
      const size_t more = bytes - bytes_;
      if (budget_.held_bytes_.fetch_add(more) + more > budget_.max_bytes_) {
        budget_.held_bytes_.fetch_sub(more);
        return false;
      }
      bytes_ = bytes;
      return true;
    }
    void Release() {
      budget_.held_bytes_.fetch_sub(bytes_);
      bytes_ = 0;
    }

   private:
    BodyBudget& budget_;
    size_t bytes_ = 0;
  };

 private:
  const size_t max_bytes_;
  std::atomic<size_t> held_bytes_{0};
};

}  // namespace ks
