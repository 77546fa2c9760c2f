#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/subscriber/matcher.h"
#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/store/lease_book.h"
#include "bridge/store/store.h"

namespace orbridge {

/// All subscriptions whose lease runs, in memory beside the store, so that an event finds its subscribers and a
/// delivery its url without asking the disk. Leases end to the millisecond: whoever asks is told by the clock,
/// and step(), which sleeps until the next end, tidies up behind. Safe from any thread; the store, the clock
/// and the log must outlive it.
class SubscriptionBook final : public LeaseBook {
public:
    using SubscriptionPtr = std::shared_ptr<const Subscription>;
    /// Tells a subscriber something about its subscription. Must not block.
    using Notify = std::function<void(const Subscription&, const std::string& what, const std::string& payload)>;

    SubscriptionBook(Store& store, const Clock& clock, Log& log);

    /// Takes over what the store has. Before anything else.
    Status load();
    /// All before the first step.
    void when_work(std::function<void()> wake) { wake_ = std::move(wake); }
    void when_noticed(Notify notify) { notify_ = std::move(notify); }
    /// How a subscription is written to the store, and read from it. Before load().
    struct AtRest {
        std::function<Subscription(const Subscription&)> seal, open;
        std::function<bool(const Subscription&)> is_current;  ///< as seal() would write it
    };
    void keep_by(AtRest at_rest) { at_rest_ = std::move(at_rest); }
    /// Writes those whose secrets are not kept as they would be now. Returns how many.
    Result<std::size_t> reseal();
    /// What brings a subscription what it missed: where that begins, and to begin.
    struct Late {
        std::function<Result<std::uint64_t>(const Since&)> locate;
        std::function<Status(const Subscription&, std::uint64_t after)> begin;
    };
    void when_late(Late late) { late_ = std::move(late); }
    /// How long after its end a lease can be taken up again. From then on.
    void set_grace(milliseconds grace) { grace_ = grace; }
    /// How many leases may run at once: another hook is refused then. Those there are stay. From then on.
    void set_active_max(std::size_t count) { active_max_ = count; }
    void when_expired(std::function<void(const Subscription&)> tell) { expired_ = std::move(tell); }

    std::vector<Subscription> find(const LeaseSelector& which, TimePoint now) const override;
    Status add(Subscription subscription, const std::optional<Since>& since) override;
    Result<std::vector<std::string>> renew(const LeaseSelector& which, TimePoint now, TimePoint lease_end) override;
    Result<std::vector<std::string>> remove(const LeaseSelector& which, TimePoint now) override;

    /// Those that want this event now, in order of registration.
    std::vector<SubscriptionPtr> match(std::string_view channel, std::string_view event_name, TimePoint now) const;
    /// Is anybody there who could want an event of this channel?
    bool listened_to(std::string_view channel) const { return matcher_.listened_to(channel); }
    /// The one with this hook if a callback may go to it now.
    SubscriptionPtr callable(const std::string& hook, TimePoint now) const;

    /// The one with this registration if a callback may go to it now. Waits for a change that is under way.
    SubscriptionPtr running(std::uint64_t registration, TimePoint now) const;

    /// Deliveries to it were given up. Told with the next notice.
    void missed(const Subscription& subscription, std::uint64_t count = 1);
    /// One has arrived: it can be told what it missed.
    void reached(const Subscription& subscription);

    /// The subscriber has answered that it is gone. Takes effect at the next step.
    void gone(const std::string& hook, std::uint64_t registration);

    /// Ends leases that are over, and gives notice of those that will be. How long it may sleep.
    milliseconds step();

private:
    enum class Act { Warn, End };
    using Agenda = std::set<std::tuple<TimePoint, std::uint64_t, Act>>;
    struct State {
        std::map<std::uint64_t, SubscriptionPtr> by_registration;
        std::unordered_map<std::string, SubscriptionPtr> by_hook;
        Agenda agenda;
        std::unordered_map<std::string, SubscriptionPtr> ended;  ///< by hook; within the grace time
        std::multimap<TimePoint, SubscriptionPtr> forget;        ///< when that is over
    };

    Status store_again(const std::vector<Subscription>& changed);
    void enter(const SubscriptionPtr& subscription);
    void leave(const SubscriptionPtr& subscription);
    void strike(std::uint64_t registration);
    void replace(const SubscriptionPtr& subscription);
    std::vector<SubscriptionPtr> select(const LeaseSelector& which, TimePoint now) const;
    std::uint64_t end_deliveries(const Subscription& subscription, DeliveryState as, const std::string& why,
                                 TimePoint now);
    SubscriptionPtr before(const std::string& hook) const;
    Status room_for(const std::string& hook) const;
    Result<std::uint64_t> entitled(const std::string& hook, const Since& since) const;
    void remember_ended(const std::vector<SubscriptionPtr>& ended);
    void keep_for_grace(const SubscriptionPtr& ended);
    void forget(TimePoint now);
    void tell_missed(const Subscription& subscription);
    void keep_secret_before(Subscription& subscription, TimePoint now) const;
    void take_gone(TimePoint now);
    void end_leases(TimePoint now);
    void warn(const Subscription& subscription, TimePoint now);
    void notify(const Subscription& subscription, const std::string& what, const std::string& payload);
    std::vector<std::pair<SubscriptionPtr, Act>> due(TimePoint now);

    Store& store_;
    const Clock& clock_;
    Log& log_;
    std::function<void()> wake_ = [] {};
    Notify notify_;
    Late late_;
    AtRest at_rest_;
    std::atomic<milliseconds> grace_{milliseconds{0}};
    std::atomic<std::size_t> active_max_{static_cast<std::size_t>(-1)};
    Guarded<std::unordered_map<std::string, std::uint64_t>> missed_;
    std::function<void(const Subscription&)> expired_ = [](const Subscription&) {};
    SubscriptionMatcher matcher_;  ///< knows them by registration number

    mutable std::mutex change_;  ///< one change at a time, store and memory together
    mutable std::shared_mutex mutex_;
    State state_;
    Guarded<std::vector<std::pair<std::string, std::uint64_t>>> gone_;
};

/// What a delivery's `route` says for a subscription: which registration of the hook asked for it.
std::string route_of_registration(std::uint64_t registration);

}  // namespace orbridge
