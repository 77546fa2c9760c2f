#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/deliver/recipe.h"
#include "bridge/deliver/recorder.h"
#include "bridge/deliver/transport.h"
#include "bridge/record/gate.h"
#include "bridge/record/settle.h"
#include "bridge/store/store.h"

namespace orbridge {

/// A target as the dispatcher needs it.
struct DeliveryTarget {
    TargetId id;
    std::shared_ptr<const Recipe> recipe;
    int in_flight_max = 10;
    RetryPolicy retry = default_retry_policy();
    RateLimit rate{};
    std::optional<BreakerPolicy> breaker{};  ///< nothing: off, and no slow start
    std::set<std::string> latest_only{};     ///< routes whose deliveries are not tried again once a newer one waits
};

/// A target as it stands now.
struct TargetView {
    GateState gate;
    int in_flight = 0;
};

/// Targets of one kind that come and go by themselves, and have room of their own: they neither take from the
/// configured ones nor wait for them.
struct TargetFamily {
    std::string prefix;  ///< of their ids
    /// Asked on the dispatcher's thread when one may have something due. Nothing: there is no such target any
    /// more, and what waits for it expires.
    std::function<std::optional<DeliveryTarget>(const TargetId&)> find;
    int in_flight_max = 4'096;
};

/// Threads for the attempts that block (Recipe::blocks).
struct AttemptThreads {
    /// Has the job done soon. False: there is no room, and it was not taken.
    std::function<bool(std::function<void()> job)> run;
    /// Waits for the jobs that run; those that have not begun are dropped.
    std::function<void()> stop;
};

struct DispatcherSettings {
    int in_flight_max = 512;            ///< of all targets together
    milliseconds hold{15 * 60'000};     ///< far longer than an attempt and its recording may take
    std::size_t backlog_max = 2'048;    ///< attempts not yet recorded, beyond which nothing is claimed
    milliseconds stop_timeout{10'000};  ///< for what is in flight at a stop
    milliseconds store_pause{1'000};    ///< after the store could not be asked
    milliseconds threads_pause{1'000};  ///< after there was no thread for an attempt
};

/// Takes due deliveries from the store, has them written by their recipes, sends them, and gives what came of
/// it to the recorder. It keeps to each target's cap and the common one, and takes targets in turn, so that
/// one that hangs or has a long queue holds up no other. It asks the store only when something is due.
///
/// One thread drives it: run(), or in tests step() and the transport's poll() in turn. All else may be
/// called from any thread. Everything given to it must outlive it; the recorder must not step after it is gone.
class Dispatcher {
public:
    Dispatcher(Store& store, Transport& transport, Recorder& recorder, const Clock& clock, Random& random, Log& log,
               DispatcherSettings settings = {});

    /// Once, before the first step.
    void set_family(TargetFamily family);
    /// Likewise. Without them no attempt blocks.
    void set_threads(AttemptThreads threads);
    /// From the next step on. Deliveries to targets that are not among them stay pending.
    void set_targets(std::vector<DeliveryTarget> targets);
    /// These targets may have something due: to be called after each commit that adds deliveries.
    void wake(const std::vector<TargetId>& targets);

    /// Nothing more starts until it is resumed, over restarts too. Nothing is dropped.
    void pause(const TargetId& target, std::string reason);
    /// Ends a pause, or an open breaker's wait: the next delivery is a probe.
    void resume(const TargetId& target);
    /// Much is about to be delivered to them: they begin with one at a time.
    void start_slowly(const std::vector<TargetId>& targets);
    /// The targets that are configured, or have something to do.
    std::map<TargetId, TargetView> views() const;
    std::optional<TargetView> view(const TargetId& target) const;

    /// Starts what may be started now. How long the transport may be polled for.
    milliseconds step();
    /// Until stopped; then waits for what is in flight, at most for the stop timeout, and stops the transport.
    void run(const std::stop_token& stop);
    /// The second half of run().
    void finish();

    int in_flight() const { return in_flight_; }  ///< driving thread only

private:
    struct Lane;
    /// Targets that share one cap.
    struct Group {
        int in_flight_max = 0;
        int in_flight = 0;
        std::deque<Lane*> ready{};  ///< have something due and room for it; taken in turn
    };
    /// What others may see of a lane.
    struct Shown {
        std::atomic<int> in_flight{0};
        Guarded<GateState> gate;
    };
    /// What is known of one target. Flights and queues hold its address; only idle ones of the family are removed.
    struct Lane {
        TargetId id;
        Group* group = nullptr;
        std::shared_ptr<const Recipe> recipe;  ///< none: not configured
        Gate gate;
        RetryPolicy retry;
        std::set<std::string> latest_only;
        int in_flight = 0;
        bool limited = false;     ///< has a rate limit
        bool one_by_one = false;  ///< shares a rate with others, and had to wait for it
        bool restored = false;    ///< what an earlier run knew of it is read
        std::shared_ptr<Shown> shown;
        std::optional<TimePoint> due;    ///< when to ask the store
        std::optional<TimePoint> timer;  ///< its place in timers_
        bool ready = false;              ///< stands in its group's queue
        bool reported = false;           ///< as not configured
    };
    /// By name at equal times, not by address: so that equal runs are equal.
    struct Sooner {
        bool operator()(const std::pair<TimePoint, Lane*>& a, const std::pair<TimePoint, Lane*>& b) const {
            return a.first != b.first ? a.first < b.first : a.second->id < b.second->id;
        }
    };
    struct Order {
        enum class What { Pause, Resume, StartSlowly } what;
        TargetId target;
        std::string reason{};
    };
    struct Flight {
        Claim claim;
        Lane* lane = nullptr;
        std::shared_ptr<const Recipe> of_target;
        std::shared_ptr<const Recipe> recipe;  ///< of_target's, or what it made of itself for this attempt
        TimePoint started_at{};
        milliseconds duration{0};
        bool unclear = false;  ///< an earlier attempt may have arrived
    };
    using FlightPtr = std::shared_ptr<Flight>;
    struct Performance {
        FlightPtr flight;
        Performed performed;
        milliseconds duration{0};
    };
    struct Inbox {
        std::optional<std::vector<DeliveryTarget>> targets;
        Recorder::Dues dues;
        std::vector<Order> orders;
        std::vector<Performance> performances;
    };

    void tell(const Recorder::Dues& dues);
    void order(Order order);
    void obey(const Order& order, TimePoint now);
    void take_inbox(TimePoint now);
    void configure(std::vector<DeliveryTarget> targets, TimePoint now);
    void configure(Lane& lane, DeliveryTarget target, TimePoint now);
    void report_missing(TimePoint now);
    bool restore_lanes(TimePoint now);
    bool restore(Lane& lane);
    void keep(const Lane& lane);
    void show(Lane& lane, TimePoint now);
    void hide(Lane& lane);
    void gate_changed(Lane& lane, const Gate::Change& change, TimePoint now);
    void log_gate(const Lane& lane, std::string_view message, TimePoint now);
    Lane& lane_of(const TargetId& id);
    bool of_family(const Lane& lane) const { return lane.group == &family_group_; }
    bool refresh(Lane& lane, TimePoint now);
    void forget_idle();
    bool forget(const TargetId& id);
    void set_due(Lane& lane, TimePoint due, TimePoint now);
    void queue(Lane& lane, TimePoint now);
    void start_timed(TimePoint now);
    void claim_ready(TimePoint now);
    void claim_ready(Group& group, TimePoint now);
    bool may_claim(const Group& group) const;
    bool claim_from(Lane& lane, int room, TimePoint now);
    void store_failed(const Error& error, TimePoint now);
    milliseconds pause(TimePoint now) const;

    void begin(Lane& lane, Claim claim, TimePoint now);
    void ask(const FlightPtr& flight, HttpRequest inquiry);
    void asked(const FlightPtr& flight, Transport::Finished finished);
    void send(const FlightPtr& flight);
    void sent(const FlightPtr& flight, Transport::Finished finished);
    struct Answered {
        bool any = false;
        int status = 0;
        std::string text{};
    };
    void conclude(const FlightPtr& flight, const Outcome& outcome, const HttpResponse* response);
    void conclude(const FlightPtr& flight, const Outcome& outcome, Answered answered);
    bool given_back(const FlightPtr& flight, const Exchange& exchange);
    void defer(const FlightPtr& flight, TimePoint again);
    void give_back(const FlightPtr& flight);
    void perform(const FlightPtr& flight);
    void performed(Performance performance);
    void no_thread_for(const FlightPtr& flight);
    void take_performances();
    void stop_threads();
    void drop(const FlightPtr& flight, const std::string& reason);
    void lose(const FlightPtr& flight);
    void leave(const FlightPtr& flight);

    Store& store_;
    Transport& transport_;
    Recorder& recorder_;
    const Clock& clock_;
    Random& random_;
    Log& log_;
    const DispatcherSettings settings_;

    Guarded<Inbox> inbox_;
    Guarded<std::map<TargetId, std::shared_ptr<Shown>>> shown_;

    // Of the driving thread alone.
    std::unordered_map<TargetId, std::unique_ptr<Lane>> lanes_;
    TargetFamily family_;
    AttemptThreads threads_;
    std::stop_source threads_stop_;  ///< safe from any thread
    std::set<FlightPtr> performing_;
    Group configured_;
    Group family_group_;
    std::vector<TargetId> perhaps_idle_;                    ///< of the family
    std::deque<TargetId> idle_in_trouble_;                  ///< of the family; kept for what their breakers know
    std::set<std::pair<TimePoint, Lane*>, Sooner> timers_;  ///< have room, and something due later
    int in_flight_ = 0;
    std::optional<TimePoint> blocked_until_;  ///< the store could not be asked
    std::vector<Order> postponed_;            ///< to lanes of which it is not yet known how they stood
    bool missing_reported_ = true;
    bool all_restored_ = true;
    bool stopping_ = false;
};

}  // namespace orbridge
