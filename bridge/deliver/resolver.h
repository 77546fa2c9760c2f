#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/deliver/outbound_policy.h"

namespace orbridge {

struct ResolverSettings {
    int threads_max = 32;                       ///< lookups at once
    milliseconds fresh{60'000};                 ///< so long an answer is used without asking again
    milliseconds stale{std::chrono::hours{1}};  ///< so long it is still used while it is asked for again
    milliseconds slow{1'000};                   ///< a name that takes longer, or fails, is suspect afterwards
    std::size_t names_max = 10'000;             ///< remembered, and waiting, at most
};

/// Looks names up in a few threads of its own, so that nobody who sends waits for DNS. A lookup cannot be
/// cancelled and may hang for minutes: names that were suspect last time share half of the threads, and a name
/// that is known is used while it is asked for again, so that names that hang hold up no known one.
///
/// All members from one thread. What is still being looked up at its end is left behind, not waited for; the
/// lookup must therefore stay callable.
class Resolver {
public:
    using Addresses = std::vector<IpAddress>;
    struct Answer {
        std::string host;
        Result<Addresses> addresses;
    };

    /// `answered` is called from other threads when answers() has something; never after the destructor.
    Resolver(Resolve lookup, ResolverSettings settings, std::function<void()> answered);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// What is known of it. Nothing: it is looked up, and will be among answers() once. Unavailable: too many wait.
    Result<std::optional<Addresses>> find(const std::string& host);
    /// Nobody waits for it any more: it need not be looked up if that has not begun.
    void forget(const std::string& host);
    /// Those that came since the last call.
    std::vector<Answer> answers();

private:
    struct State;
    static void work(const std::shared_ptr<State>& state);
    std::shared_ptr<State> state_;  ///< the threads' too
};

struct NamedPort {
    std::string host;
    int port = 0;
    friend bool operator==(const NamedPort&, const NamedPort&) = default;
};

/// The name in an http(s) URL that has to be looked up. Nothing: there is an address, `localhost`, or something
/// only libcurl should read.
std::optional<NamedPort> name_to_look_up(std::string_view url);

}  // namespace orbridge
