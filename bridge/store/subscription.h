#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"
#include "bridge/core/secret.h"

namespace orbridge {

/// A leased subscriber, as registered through the lease API.
struct Subscription {
    std::string hook;                ///< its id for the subscriber, who may have chosen it
    std::uint64_t registration = 0;  ///< its id for us: another one each time the hook is registered; their order
    std::string product;             ///< whose path it was registered at
    std::string url;                 ///< url, channel and filter byte for byte as registered
    std::string channel;
    std::string event_filter;  ///< a Java regular expression
    std::string token;         ///< name of the token it was registered with
    Secret secret;             ///< signs callbacks; may be empty
    Secret secret_before;      ///< of the registration before this one: signs as well, until `secret_before_until`
    TimePoint secret_before_until{};
    bool notices = false;  ///< wants to be told of its lease's end and the like
    bool gone = false;     ///< it answered 410: nothing more goes there until it registers or renews
    TimePoint registered_at{};
    TimePoint leased_at{};  ///< when the present lease was given
    TimePoint lease_end{};
};

/// The target that deliveries to a subscription name: `hook:<hookId>`.
constexpr std::string_view kHookPrefix = "hook:";
inline TargetId target_of_hook(const std::string& hook) { return {std::string(kHookPrefix) + hook}; }
inline bool is_hook(const TargetId& target) { return target.value.starts_with(kHookPrefix); }
inline std::string hook_of(const TargetId& target) {
    return is_hook(target) ? target.value.substr(kHookPrefix.size()) : std::string();
}

/// Lets its holder register subscriptions, or read snapshots. The token itself is known to its holder only.
struct ApiToken {
    std::string name;
    std::string hash;  ///< SHA-256 in hexadecimal
    TimePoint created_at{};
    std::vector<std::string> reads{};  ///< sources whose snapshots its holder may read; none: it may register
};

}  // namespace orbridge
