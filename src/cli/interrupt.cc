#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

namespace ks {
namespace {

volatile sig_atomic_t raised_signal = 0;

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

void ChangeMask(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : kSignals) sigaddset(&signals, number);
  pthread_sigmask(how, &signals, nullptr);
}

}  // namespace

void InterruptFlag::Block() { ChangeMask(SIG_BLOCK); }

InterruptFlag::InterruptFlag() {
  raised_signal = 0;
  struct sigaction action = {};
  action.sa_handler = [](int number) { raised_signal = number; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: a blocking read returns
  for (const int number : kSignals) sigaction(number, &action, nullptr);
  ChangeMask(SIG_UNBLOCK);
}

InterruptFlag::~InterruptFlag() {
  for (const int number : kSignals) signal(number, SIG_DFL);
}

bool InterruptFlag::raised() const { return raised_signal != 0; }

void InterruptFlag::EndProcess() const {
  const int number = raised_signal;
  signal(number, SIG_DFL);
  raise(number);
  _exit(128 + number);  // where the signal was ignored, as for the first process of a container
}

}  // namespace ks
