#include "bridge/core/ids.h"

#include <array>
#include <cstdio>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::uint32_t kCounterStart = 0x1ff;  // leaves room to count up within one millisecond
constexpr std::uint32_t kCounterMax = 0x3ffff;  // 18 bits: rand_a (12) and the top of rand_b (6)

/// Of version 7: its time in 48 bits, and 12 and 62 more.
std::string uuid_text(std::uint64_t ms, std::uint32_t rand_a, std::uint64_t rand_b) {
    const unsigned long long high = ms;
    const unsigned long long low = 0x8000000000000000ULL | (rand_b & 0x3fffffffffffffffULL);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%08llx-%04llx-%04x-%04llx-%012llx", high >> 16, high & 0xffff,
                  0x7000U | rand_a, low >> 48, low & 0xffffffffffffULL);
    return {text.data(), 36};
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? text[i] != '-' : !is_hex(text[i])) return false;
    }
    return true;
}

DeliveryId derived_delivery_id(TimePoint time, std::string_view of) {
    const auto hash = sha256(of);
    std::uint64_t low = 0;
    std::uint32_t mid = 0;
    for (std::size_t i = 0; i < 8; ++i) low = (low << 8) | static_cast<unsigned char>(hash[i]);
    for (std::size_t i = 8; i < 10; ++i) mid = (mid << 8) | static_cast<unsigned char>(hash[i]);
    const auto ms = static_cast<std::uint64_t>(time.time_since_epoch().count()) & 0xffffffffffffULL;
    return {uuid_text(ms, mid & 0xfff, low)};
}

std::string IdMaker::uuid_v7() {
    const auto random = random_.bits();
    std::int64_t ms = 0;
    std::uint32_t counter = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto now = clock_.now().time_since_epoch().count();
        if (now > last_ms_) {
            last_ms_ = now;
            counter_ = static_cast<std::uint32_t>(random >> 55) & kCounterStart;
        } else if (++counter_ > kCounterMax) {
            ++last_ms_;  // borrow from the next millisecond: order matters more than the exact time
            counter_ = 0;
        }
        ms = last_ms_;
        counter = counter_;
    }
    const auto rand_b = ((static_cast<std::uint64_t>(counter) & 0x3f) << 56) | (random & 0x00ffffffffffffffULL);
    return uuid_text(static_cast<std::uint64_t>(ms) & 0xffffffffffffULL, counter >> 6, rand_b);
}

}  // namespace orbridge
