#include "base/team.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace ks {
namespace {

TEST(Team, CallsEachMemberOnceOnAThreadOfItsOwn) {
  for (const int size : {1, 2, 3, 4}) {
    Team team(size);
    ASSERT_EQ(team.size(), size);
    std::vector<std::thread::id> ids(static_cast<size_t>(size));
    std::vector<int> calls(static_cast<size_t>(size));
    for (int run = 0; run < 20; ++run) {
      team.Run([&](int member) {
        ids[member] = std::this_thread::get_id();
        ++calls[member];
      });
      EXPECT_EQ(ids[0], std::this_thread::get_id());
      EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
    }
    EXPECT_EQ(calls, std::vector<int>(static_cast<size_t>(size), 20));
  }
}

TEST(Team, NamesItsThreads) {
  Team team(2);
  char name[16] = "";
  team.Run([&](int member) {
    if (member == 1) pthread_getname_np(pthread_self(), name, sizeof(name));
  });
  EXPECT_STREQ(name, "team-1");
}

TEST(Team, KeepsItsMembersOffTheCallersCore) {
  cpu_set_t usable;
  ASSERT_EQ(sched_getaffinity(0, sizeof(usable), &usable), 0);
  if (CPU_COUNT(&usable) < 2) GTEST_SKIP() << "needs two cores, this process may use one";
  Team team(2);
  team.Run([](int) {});  // the member has begun: only then it can be told where to run
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(static_cast<size_t>(core), &usable)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(core), &one);
    std::thread([&] {
      // The system may move the caller at any time: a run counts where it was on the core before and during it.
      for (int run = 0; run < 1000; ++run) {
        sched_setaffinity(0, sizeof(one), &one);
        sched_setaffinity(0, sizeof(usable), &usable);
        const int before = sched_getcpu();
        int during = -1;
        cpu_set_t members;
        team.Run([&](int member) {
          member == 0 ? during = sched_getcpu() : sched_getaffinity(0, sizeof(members), &members);
        });
        if (before != core || during != core) continue;
        EXPECT_EQ(CPU_COUNT(&members), 1);
        EXPECT_FALSE(CPU_ISSET(static_cast<size_t>(core), &members));
        return;
      }
      ADD_FAILURE() << "never stayed on core " << core;
    }).join();
  }
}

TEST(Team, RunsWithMoreMembersThanCores) {
  cpu_set_t usable, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(usable), &usable), 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  Team team(3);
  std::atomic<int> calls = 0;
  for (int run = 0; run < 10; ++run) team.Run([&](int) { ++calls; });
  EXPECT_EQ(calls, 30);
  ASSERT_EQ(sched_setaffinity(0, sizeof(usable), &usable), 0);
}

// Every member reads what its neighbour wrote before the meeting, and nobody writes on before all have read.
TEST(Team, MeetingsShowWhatTheOthersWrote) {
  for (const int size : {2, 3, 5}) {
    Team team(size);
    std::vector<int> written(static_cast<size_t>(size));
    std::vector<int> wrong(static_cast<size_t>(size));
    for (int run = 0; run < 5; ++run) {
      team.Run([&](int member) {
        for (int round = 0; round < 10; ++round) {
          written[member] = run * 10 + round;
          team.Meet();
          wrong[member] += written[(member + 1) % size] != run * 10 + round;
          team.Meet();
        }
      });
    }
    EXPECT_EQ(std::accumulate(wrong.begin(), wrong.end(), 0), 0) << size << " members";
  }
}

TEST(Team, ShowsItsCallerWhatMembersWrote) {
  Team team(3);
  for (int run = 0; run < 100; ++run) {
    int values[3] = {};
    team.Run([&values, run](int member) { values[member] = run; });
    EXPECT_EQ(std::ranges::count(values, run), 3);
  }
}

// Blocks until the thread sleeps; a thread that spins or yields does not count.
void AwaitSleep(pid_t thread) {
  std::string state;
  do {
    std::this_thread::yield();
    std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string id, name;  // without spaces: team-N
    ASSERT_TRUE(stat >> id >> name >> state);
  } while (state != "S");
}

// Who waits has all of it fetched, who comes last nothing; nothing beyond the end is asked for. The system may take a
// waiting member's core away until it is time to sleep, but not before it has asked for 128 lines: eight waits are enough.
TEST(Team, FetchesWhileItWaits) {
  Team team(2);
  const std::vector<char> memory(100'000);
  Soon soon[2];
  for (Soon& each : soon) each = {memory.data(), memory.data() + 64 * 1000};
  for (int wait = 0; wait < 8; ++wait) {
    std::atomic<pid_t> waiting = 0;
    team.Run([&](int member) {
      if (member == 1) {
        waiting = gettid();
      } else {
        while (waiting == 0) std::this_thread::yield();
        AwaitSleep(waiting);
      }
      team.Meet(soon[member]);
    });
    EXPECT_GE((soon[1].next - memory.data()) / 64, std::min(128 * (wait + 1), 1000));
  }
  EXPECT_EQ(soon[0].next, memory.data());
  EXPECT_EQ(soon[1].next, soon[1].end);
  EXPECT_EQ(soon[1].end, memory.data() + 64 * 1000);
}

// Whoever waits sleeps in the end, between runs (an idle team uses no CPU) and in a meeting, and wakes again.
TEST(Team, SleepsWhereThereIsNothingToDoAndWakesAgain) {
  Team team(3);
  pid_t threads[3] = {};
  team.Run([&](int member) { threads[member] = gettid(); });
  for (int late = 0; late < 3; ++late) {
    for (int member = 1; member < 3; ++member) AwaitSleep(threads[member]);
    int calls[3] = {};
    team.Run([&](int member) {
      for (int other = 1; other < 3 && member == late; ++other) {
        if (other != member) AwaitSleep(threads[other]);
      }
      team.Meet();
      ++calls[member];
    });
    EXPECT_EQ(std::ranges::count(calls, 1), 3);
  }
}

TEST(Team, CalledToBeReadyRunsNothing) {
  Team team(3);
  int calls[3] = {};
  for (int run = 0; run < 100; ++run) {
    for (int again = 0; again < run % 3; ++again) team.Rouse();
    team.Run([&](int member) { ++calls[member]; });
  }
  EXPECT_EQ(std::ranges::count(calls, 100), 3);
}

TEST(Team, OfOneIsForAnyNumberOfCallers) {
  Team team(1);
  std::vector<int> sums(4);
  {
    std::vector<std::unique_ptr<Thread>> callers;
    for (int& sum : sums) {
      callers.push_back(std::make_unique<Thread>("caller", [&team, &sum] {
        for (int run = 0; run < 100; ++run) {
          team.Run([&](int member) {
            team.Meet();
            sum += member + 1;
          });
        }
      }));
    }
  }
  EXPECT_EQ(sums, std::vector<int>(4, 100));
}

TEST(Team, EndsWithoutARun) { const Team team(3); }

}  // namespace
}  // namespace ks
