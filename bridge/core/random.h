#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>

namespace orbridge {

/// Seam. Safe from any thread.
class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t bits() = 0;
    /// In [0, 1).
    double unit() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
};

/// The operating system's generator: unpredictable, fit for ids and tokens.
class SystemRandom final : public Random {
public:
    std::uint64_t bits() override;

private:
    /// As much as one call gives for certain (getrandom(2)). Each value is used once, and wiped.
    std::array<std::uint64_t, 32> drawn_{};
    std::size_t left_ = 0;
    std::mutex mutex_;
};

/// Repeatable, for tests and simulation.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t bits() override {
        const std::lock_guard lock(mutex_);
        return engine_();
    }

private:
    std::mutex mutex_;
    std::mt19937_64 engine_;
};

}  // namespace orbridge
