#include "bridge/store/tally.h"

#include <algorithm>

namespace orbridge {
namespace {

std::size_t index_of(DeliveryState state) { return static_cast<std::size_t>(state); }

}  // namespace

void Tally::apply(const TallyChange& change) {
    numbers_.with([&](Numbers& numbers) {
        numbers.events += change.events;
        numbers.unmapped += change.unmapped;
        for (const auto& move : change.moves) {
            auto& states = numbers.targets[move.target];
            if (move.from) states.at(index_of(*move.from)) -= move.count;
            if (move.to) states.at(index_of(*move.to)) += move.count;
            if (move.from == DeliveryState::Pending) numbers.pending -= move.count;
            if (move.to == DeliveryState::Pending) numbers.pending += move.count;
        }
    });
}

void Tally::reset(const TallyChange& change) {
    numbers_.with([](Numbers& numbers) { numbers = {}; });
    apply(change);
}

std::uint64_t Tally::pending() const {
    return numbers_.with(
        [](const Numbers& numbers) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, numbers.pending)); });
}

std::uint64_t Tally::pending_for(const TargetId& target) const {
    return numbers_.with([&](const Numbers& numbers) {
        const auto found = numbers.targets.find(target);
        const auto number = found == numbers.targets.end() ? 0 : found->second[index_of(DeliveryState::Pending)];
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
    });
}

StoreCounts Tally::counts() const {
    return numbers_.with([](const Numbers& numbers) {
        // Changes are applied by the threads that made them, so for a moment one may be seen before
        // the one it builds on: never show that as a negative number.
        const auto shown = [](std::int64_t number) {
            return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
        };
        StoreCounts counts{shown(numbers.events), shown(numbers.unmapped), {}};
        for (const auto& [target, states] : numbers.targets) {
            auto& row = counts.targets[target];
            row.pending = shown(states[index_of(DeliveryState::Pending)]);
            row.delivered = shown(states[index_of(DeliveryState::Delivered)]);
            row.dead = shown(states[index_of(DeliveryState::Dead)]);
            row.expired = shown(states[index_of(DeliveryState::Expired)]);
            row.cancelled = shown(states[index_of(DeliveryState::Cancelled)]);
        }
        return counts;
    });
}

std::vector<TargetId> Tally::targets_with_pending() const {
    return numbers_.with([](const Numbers& numbers) {
        std::vector<TargetId> targets;
        for (const auto& [target, states] : numbers.targets)
            if (states[index_of(DeliveryState::Pending)] != 0) targets.push_back(target);
        return targets;
    });
}

}  // namespace orbridge
