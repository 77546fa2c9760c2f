#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace orbridge {

/// Set once by one thread, awaited by one other. std::atomic::wait would spin and yield first, which with
/// hundreds of waiting threads costs more than the work they wait for; this goes to sleep at once and
/// wakes exactly the one thread.
class Signal {
public:
    void wait() {
        auto seen = kClear;
        if (!word_.compare_exchange_strong(seen, kAwaited, std::memory_order_acquire)) return;
        while (word_.load(std::memory_order_acquire) != kSet) futex(FUTEX_WAIT_PRIVATE, kAwaited);
    }
    /// The waiting thread may destroy the Signal as soon as it sees it set: the wake-up only uses its address.
    void set() {
        if (word_.exchange(kSet, std::memory_order_release) == kAwaited) futex(FUTEX_WAKE_PRIVATE, 1);
    }

private:
    static constexpr std::uint32_t kClear = 0, kAwaited = 1, kSet = 2;
    void futex(int operation, std::uint32_t value) {
        static_assert(sizeof word_ == sizeof value);
        ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word_), operation, value, nullptr, nullptr, 0);
    }
    std::atomic<std::uint32_t> word_{kClear};
};

}  // namespace orbridge
