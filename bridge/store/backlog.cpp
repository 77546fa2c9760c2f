#include "bridge/store/backlog.h"

#include <algorithm>
#include <cmath>

namespace orbridge {
namespace {

constexpr milliseconds kBetweenLooks{1'000};
constexpr double kAir = 0.95;  // of the mark that was passed: below it, it counts as left again

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// Of the disk what matters is what is left: the less, the higher.
double disk_ratio(const StoreSpace& space, const BacklogSettings& limits) {
    if (!space.disk_free || limits.free_disk_min == 0) return 0;
    return static_cast<double>(limits.free_disk_min) /
           static_cast<double>(std::max<std::uint64_t>(1, *space.disk_free));
}

const Backlog::Share& worst(const std::vector<Backlog::Share>& shares) {
    return *std::max_element(shares.begin(), shares.end(),
                             [](const auto& a, const auto& b) { return a.ratio < b.ratio; });
}

int percent(double ratio) { return static_cast<int>(std::floor(std::min(ratio, 1000.0) * 100)); }

const char* setting_of(const std::string& limit) {
    if (limit == "deliveries") return "backlog.deliveries_max";
    return limit == "bytes" ? "backlog.bytes_max" : "backlog.free_disk_min";
}

}  // namespace

Backlog::Backlog(Store& store, const Clock& clock, Log& log, const BacklogSettings& limits)
    : store_(store), clock_(clock), log_(log), state_(State{limits, std::nullopt, {}, Level::Fine}) {}

void Backlog::set_limits(const BacklogSettings& limits) {
    state_.with([&](State& state) { state.limits = limits; });
}

bool Backlog::full() {
    look();
    return state_.with([&](State& state) { return judge(state) == Level::Full; });
}

std::vector<Backlog::Share> Backlog::shares() {
    look();
    return state_.with([&](State& state) {
        judge(state);
        return shares_of(state);
    });
}

std::string Backlog::detail() {
    look();
    return state_.with([&](State& state) -> std::string {
        const auto level = judge(state);
        if (level == Level::Fine) return "";
        const auto shares = shares_of(state);
        const auto& most = worst(shares);
        return std::to_string(percent(most.ratio)) + " % of " + setting_of(most.limit) +
               (level == Level::Full ? ": nothing new is accepted" : "");
    });
}

/// The disk is asked outside the lock: one who waits for it must not hold up the others.
void Backlog::look() {
    const auto now = clock_.now();
    const bool due = state_.with([&](State& state) {
        const auto& last = state.looked_at;
        if (last && now >= *last && now - *last < kBetweenLooks) return false;
        state.looked_at = now;
        return true;
    });
    if (!due) return;
    const auto space = store_.space();
    if (space) state_.with([&](State& state) { state.space = *space; });
}

std::vector<Backlog::Share> Backlog::shares_of(const State& state) const {
    return {
        {"deliveries", ratio(static_cast<double>(store_.pending()), static_cast<double>(state.limits.deliveries_max))},
        {"bytes", ratio(static_cast<double>(state.space.bytes), static_cast<double>(state.limits.bytes_max))},
        {"disk", disk_ratio(state.space, state.limits)}};
}

Backlog::Level Backlog::judge(State& state) {
    const auto shares = shares_of(state);
    const auto most = worst(shares).ratio;
    const auto warn = state.limits.warn_at;
    const bool full = most >= 1 || (state.level == Level::Full && most >= kAir);
    const bool high = most >= warn || (state.level != Level::Fine && most >= warn * kAir);
    const auto level = full ? Level::Full : high ? Level::High : Level::Fine;
    if (level != state.level) tell(state, state.level, level);
    return state.level = level;
}

void Backlog::tell(const State& state, Level before, Level after) const {
    const auto shares = shares_of(state);
    const auto& most = worst(shares);
    const Log::Fields fields = {{"limit", setting_of(most.limit)}, {"percent", percent(most.ratio)}};
    if (after == Level::Full) {
        log_.error("backlog.full", fields);
    } else if (before == Level::Full) {
        log_.info("backlog.resumed", fields);
    } else if (after == Level::High) {
        log_.warn("backlog.high", fields);
    }
}

}  // namespace orbridge
