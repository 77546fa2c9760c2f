#pragma once

#include <mutex>
#include <utility>

namespace orbridge {

/// A value that can only be reached while its mutex is held.
template <class T>
class Guarded {
public:
    Guarded() = default;
    explicit Guarded(T value) : value_(std::move(value)) {}

    template <class F>
    decltype(auto) with(F&& work) {
        const std::lock_guard lock(mutex_);
        return std::forward<F>(work)(value_);
    }
    template <class F>
    decltype(auto) with(F&& work) const {
        const std::lock_guard lock(mutex_);
        return std::forward<F>(work)(value_);
    }

private:
    mutable std::mutex mutex_;
    T value_;
};

}  // namespace orbridge
