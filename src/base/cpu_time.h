#pragma once

#include "base/clock.h"

namespace ks {

// What the calling thread has had of a processor since it began. A system call.
Duration ThreadCpuTime();

}  // namespace ks
