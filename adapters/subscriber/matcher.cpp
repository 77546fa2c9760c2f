#include "adapters/subscriber/matcher.h"

#include <algorithm>

namespace orbridge {

namespace {

using Shape = EventFilter::Shape;

}  // namespace

struct SubscriptionMatcher::Channel {
    std::unordered_map<std::string, Hooks> exact;
    std::map<std::string, Hooks, std::less<>> prefixes;
    std::unordered_map<PatternSlot, Hooks> by_slot;
    std::shared_ptr<PatternIndex> patterns = std::make_shared<PatternIndex>();
    std::size_t hooks = 0;

    void add(const Place& place, const std::string& hook) {
        ++hooks;
        switch (place.filter.shape) {
            case Shape::Exact: exact[place.filter.text].emplace(place.order, hook); break;
            case Shape::Prefix: prefixes[place.filter.text].emplace(place.order, hook); break;
            case Shape::Expression: by_slot[place.slot].emplace(place.order, hook); break;
        }
    }

    void remove(const Place& place) {
        --hooks;
        switch (place.filter.shape) {
            case Shape::Exact: take_out(exact, place.filter.text, place.order); break;
            case Shape::Prefix: take_out(prefixes, place.filter.text, place.order); break;
            case Shape::Expression: take_out(by_slot, place.slot, place.order); break;
        }
    }

    void match_plain(std::string_view name, Found& found) const {
        if (const auto same = exact.find(std::string(name)); same != exact.end())
            found.insert(found.end(), same->second.begin(), same->second.end());
        match_prefixes(name, found);
    }

    void match_slots(const std::vector<PatternSlot>& slots, Found& found) const {
        for (const auto slot : slots) {
            if (const auto users = by_slot.find(slot); users != by_slot.end())
                found.insert(found.end(), users->second.begin(), users->second.end());
        }
    }

private:
    template <class Map, class Key>
    static void take_out(Map& map, const Key& key, std::uint64_t order) {
        const auto found = map.find(key);
        if (found == map.end()) return;
        found->second.erase(order);
        if (found->second.empty()) map.erase(found);
    }

    /// From the name downwards: whatever sorts before the name and is no beginning of it shows, by what the two
    /// have in common, how short the next candidate must be.
    void match_prefixes(std::string_view name, Found& found) const {
        auto rest = name;
        for (;;) {
            auto candidate = prefixes.upper_bound(rest);
            if (candidate == prefixes.begin()) return;
            --candidate;
            const auto& prefix = candidate->first;
            const auto common = static_cast<std::size_t>(
                std::mismatch(prefix.begin(), prefix.end(), rest.begin(), rest.end()).first - prefix.begin());
            const bool begins = common == prefix.size();
            if (begins) found.insert(found.end(), candidate->second.begin(), candidate->second.end());
            if (begins && common == 0) return;
            rest = rest.substr(0, begins ? common - 1 : common);
        }
    }
};

SubscriptionMatcher::SubscriptionMatcher() = default;
SubscriptionMatcher::~SubscriptionMatcher() = default;

void SubscriptionMatcher::add(const std::string& hook, const std::string& channel, const EventFilter& filter) {
    const std::lock_guard change(change_);
    Place place{channel, filter, next_order_++, {}, 0};
    if (filter.shape == Shape::Expression) {
        place.patterns = patterns_of(channel);
        place.slot = place.patterns->acquire(filter.text);
    }
    std::optional<Place> before;
    {
        const std::unique_lock lock(mutex_);
        before = take_out(hook);
        channel_named(channel).add(place, hook);
        places_.emplace(hook, std::move(place));
        tidy(before);
    }
    release(before);
}

void SubscriptionMatcher::remove(const std::string& hook) {
    const std::lock_guard change(change_);
    std::optional<Place> before;
    {
        const std::unique_lock lock(mutex_);
        before = take_out(hook);
        tidy(before);
    }
    release(before);
}

std::optional<SubscriptionMatcher::Place> SubscriptionMatcher::take_out(const std::string& hook) {
    auto found = places_.extract(hook);
    if (found.empty()) return std::nullopt;
    channel_named(found.mapped().channel).remove(found.mapped());
    return std::move(found.mapped());
}

/// After the change is whole: a channel that is only being changed must keep its patterns.
void SubscriptionMatcher::tidy(const std::optional<Place>& before) {
    if (before && channel_named(before->channel).hooks == 0) channels_.erase(before->channel);
}

/// Not under the lock: this may compile.
void SubscriptionMatcher::release(const std::optional<Place>& before) {
    if (before && before->patterns) before->patterns->release(before->slot);
}

SubscriptionMatcher::Channel& SubscriptionMatcher::channel_named(const std::string& name) {
    auto& channel = channels_[name];
    if (!channel) channel = std::make_unique<Channel>();
    return *channel;
}

std::shared_ptr<PatternIndex> SubscriptionMatcher::patterns_of(const std::string& channel) {
    const std::unique_lock lock(mutex_);
    return channel_named(channel).patterns;
}

std::vector<std::string> SubscriptionMatcher::match(std::string_view channel, std::string_view event_name) const {
    Found found;
    std::shared_ptr<const PatternIndex> patterns;
    {
        const std::shared_lock lock(mutex_);
        const auto there = channels_.find(channel);
        if (there == channels_.end()) return {};
        there->second->match_plain(event_name, found);
        if (!there->second->by_slot.empty()) patterns = there->second->patterns;
    }
    if (patterns) {
        const auto slots = patterns->match(event_name);  // not under the lock: this may take milliseconds
        const std::shared_lock lock(mutex_);
        const auto there = channels_.find(channel);
        if (there != channels_.end() && there->second->patterns == patterns) there->second->match_slots(slots, found);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> hooks;
    hooks.reserve(found.size());
    for (auto& [order, hook] : found) hooks.push_back(std::move(hook));
    return hooks;
}

bool SubscriptionMatcher::listened_to(std::string_view channel) const {
    const std::shared_lock lock(mutex_);
    return channels_.contains(channel);
}

std::size_t SubscriptionMatcher::size() const {
    const std::shared_lock lock(mutex_);
    return places_.size();
}

}  // namespace orbridge
