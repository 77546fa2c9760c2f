#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/subscriber/filter.h"
#include "adapters/subscriber/pattern_index.h"

namespace orbridge {

/// Which subscriptions want an event. By channel first; then plain names by hash, plain beginnings by order,
/// and only what is left by RE2. Events and changes go on side by side. Safe from any thread.
class SubscriptionMatcher {
public:
    SubscriptionMatcher();
    ~SubscriptionMatcher();

    /// Takes effect on the next match(). One with the same hook is replaced, and counts as new.
    void add(const std::string& hook, const std::string& channel, const EventFilter& filter);
    void remove(const std::string& hook);

    /// Hooks whose channel is equal and whose filter matches the whole name, in order of their adding.
    std::vector<std::string> match(std::string_view channel, std::string_view event_name) const;

    /// False: no subscription of this channel can match, whatever the name.
    bool listened_to(std::string_view channel) const;

    std::size_t size() const;

private:
    struct Channel;
    using Hooks = std::map<std::uint64_t, std::string>;  ///< by order of adding
    using Found = std::vector<std::pair<std::uint64_t, std::string>>;
    struct Place {
        std::string channel;
        EventFilter filter;
        std::uint64_t order = 0;
        std::shared_ptr<PatternIndex> patterns;  ///< null: it needs none
        PatternSlot slot = 0;
    };
    std::optional<Place> take_out(const std::string& hook);
    void tidy(const std::optional<Place>& before);
    static void release(const std::optional<Place>& before);
    Channel& channel_named(const std::string& name);
    std::shared_ptr<PatternIndex> patterns_of(const std::string& channel);

    std::mutex change_;  ///< one change at a time, so that compiling need not hold up events
    mutable std::shared_mutex mutex_;
    std::map<std::string, std::unique_ptr<Channel>, std::less<>> channels_;
    std::unordered_map<std::string, Place> places_;
    std::uint64_t next_order_ = 1;
};

}  // namespace orbridge
