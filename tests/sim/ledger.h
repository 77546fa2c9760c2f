#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bridge/store/store.h"
#include "tests/sim/gate_book.h"
#include "tests/sim/trace.h"
#include "tests/sim/virtual_time.h"

namespace orbridge::sim {

/// How one exchange went, as whoever made it can know.
struct ExchangeEnd {
    bool inquiry = false;
    bool failed = false;         ///< the other side is in trouble, not only this delivery
    bool arrived = false;        ///< an answer that says the delivery is there
    bool final_no = false;       ///< an answer that says it never will be
    bool unclear = false;        ///< it may have been acted upon
    bool nothing_sent = false;   ///< it certainly was not
    milliseconds least_wait{0};  ///< Retry-After, or the floor after a limit or a timeout
};

/// What a target promises its deliveries.
struct Terms {
    std::vector<milliseconds> schedule;
    double jitter = 0.2;
    int in_flight_max = 10;
    bool asks = false;    ///< its recipe asks what became of an attempt whose end was unclear
    bool single = false;  ///< the other side takes an id once only
    bool ordered = true;
    std::optional<TimePoint> lease_end{};
    GateTerms gate{};
    bool coalesces = false;  ///< what waits gives way to a newer state of its subject
    int loop_limit = 0;      ///< deliveries of one subject within a minute; 0: any number
    bool steady = false;     ///< it never fails, so nothing excuses a delay but what disturbs the bridge itself
};

struct Violation {
    std::string checker;
    std::string text;
};

/// Keeps the books of a simulation: what was truly stored, who holds what, what the other sides saw. Compares
/// each thing that happens with what is promised in docs/architecture.md, knowing nothing of how the bridge keeps them.
class Ledger {
public:
    Ledger(const VirtualClock& clock, Trace& trace, int in_flight_max)
        : clock_(clock), trace_(trace), in_flight_max_(in_flight_max) {}

    void set_terms(const TargetId& target, Terms terms) {
        gates_[target].set_terms(terms.gate);
        terms_[target] = std::move(terms);
    }
    /// So many deliveries may wait before nothing more is accepted. 0: any number.
    void set_backlog_max(std::uint64_t deliveries) { backlog_max_ = deliveries; }

    // ---- told by the store, once something has truly happened in it
    void stored(const NewEvent& event);
    void added(const EventId& event, const std::vector<NewDelivery>& deliveries);
    void settled(const Settle& settle);
    void cancelled(const DeliveryId& delivery, DeliveryState as);
    void cancelled_all(const TargetId& target, DeliveryState as);
    /// Given to a holder, whether he hears of it or not.
    void handed(const ClaimBatch& batch);
    /// This delivery was just stored, as over or not.
    void born(const DeliveryId& delivery, bool over);
    /// Those that wait for the target, and are about an older state of the same subject.
    std::vector<DeliveryId> waiting_before(const DeliveryId& delivery);
    /// One of those: it was ended in favour of the newer one, or not.
    void met_newer(const DeliveryId& delivery, bool ended);
    /// An attempt of it failed: it was ended in favour of a newer one, or is to be tried again.
    void failed(const DeliveryId& delivery, bool ended);
    /// The event is stored, and the bridge was told that it may not be.
    void unheard(const EventId& event);

    // ---- told by the bridge's side of the store
    void claimed(const ClaimBatch& batch, TimePoint now, int limit);
    void released(const std::vector<Claim>& claims);
    void died();  ///< the process and all it knew
    void noted(const std::string& key, const std::string& value);
    void paused(const TargetId& target);
    void resumed(const TargetId& target);

    // ---- told by the transport and what stands behind it
    void sent(const TargetId& target, const DeliveryId& delivery, bool inquiry);
    void ended(const TargetId& target, const DeliveryId& delivery, const ExchangeEnd& end);
    void acted(const TargetId& target, const DeliveryId& delivery);

    // ---- told by the sources
    /// A change is about to be told; `targets` is where it should go by the configuration of now.
    void telling(int change, std::set<TargetId> targets);
    /// `nameless`: an answer that names no event, as that to a hook.
    void answered(int change, int status, const std::vector<EventId>& events, bool nameless);

    /// Something that holds up for so long what is there, or comes meanwhile.
    void disturb(milliseconds by);
    /// The clock is set back: what was due is due once more, later. What comes afterwards is not excused by it,
    /// but if it waits behind such a delivery.
    void set_back(milliseconds by);
    void logged(const std::string& line, const std::string& secret);

    /// Compares the store with the books, when all should have come to its end.
    void check_end(Store& store);
    void complain(const std::string& checker, const std::string& text);

    std::size_t open() const { return open_; }
    std::vector<EventId> events() const;
    std::vector<DeliveryId> open_deliveries() const;
    const std::optional<Violation>& violation() const { return violation_; }

private:
    struct Known {
        DeliveryId id;
        EventId event;
        TargetId target;
        std::string order_key;
        std::pair<std::uint64_t, int> place;
        bool replayed = false;
        bool cut = false;  ///< stored as ended
        milliseconds stored_at{0};
        milliseconds excused{0};

        bool open = true;
        bool cancelled = false;
        int recorded = 0;  ///< attempts the store knows of
        TimePoint not_before{};
        bool unclear = false;  ///< the end of its last recorded attempt

        std::uint64_t token = 0;  ///< of its holder
        TimePoint until{};
        TimePoint handed_until{};  ///< to somebody who perhaps never heard of it
        milliseconds claimed_at{0};
        bool probe = false;  ///< claimed when the breaker was open or half-open
        bool asked = false;  ///< by its holder
        int sends = 0;       ///< by its holder
        bool in_transit = false;
        std::optional<ExchangeEnd> end;  ///< of its holder's attempt
        TimePoint ended_at{};
        bool overlapping = false;  ///< a hold has run out while its attempt went on

        int acted = 0;
        bool doubt = false;  ///< an attempt may have arrived without the bridge knowing
    };
    struct Queue {
        std::vector<Known*> deliveries;
        milliseconds held_until{0};
    };
    struct Change {
        std::vector<std::pair<Intake, TimePoint>> seen;
    };

    Known* find(const DeliveryId& id);
    Known& keep(const EventId& event, const NewDelivery& asked);
    bool has_newer(const Known& delivery);
    void check_routed(const NewEvent& event);
    void check_loops(const NewEvent& event);
    void check_gate(const ClaimBatch& batch, TimePoint now);
    void keep_gate(const TargetId& target, const ExchangeEnd& end);
    void check_single(const NewEvent& event);
    void check_order(const Known& delivery);
    void check_claim(Known& delivery, const Claim& claim, TimePoint now);
    void check_prompt(const Known& delivery);
    milliseconds latest(const Known& delivery) const;
    void check_settlement(const Known& delivery, const Settle& settle);
    void check_row(const Known& delivery, const Result<DeliveryRow>& row, std::size_t attempts);
    void close(Known& delivery);
    TimePoint earliest_next(const Known& delivery) const;

    const VirtualClock& clock_;
    Trace& trace_;
    const int in_flight_max_;
    std::map<TargetId, Terms> terms_;
    std::map<EventId, std::uint64_t> events_;
    std::map<EventId, int> numbers_;
    std::set<std::tuple<EventId, TargetId, TimePoint>> replayed_;  ///< what replays have made
    std::map<EventId, std::string> subjects_;
    std::map<DeliveryId, std::unique_ptr<Known>> deliveries_;
    std::map<std::pair<TargetId, std::string>, Queue> queues_;
    std::map<TargetId, int> in_flight_;
    int in_flight_total_ = 0;
    std::size_t open_ = 0;
    milliseconds disturbance_{0};  ///< all of it together
    milliseconds disturbed_until_{0};
    std::map<TargetId, GateBook> gates_;
    struct Told {
        EventId event;
        TimePoint at;
    };
    std::map<std::pair<TargetId, std::string>, std::deque<Told>> told_;  ///< not cut, as this life of the bridge knows
    bool stepped_back_ = false;  ///< the bridge may count what the books have forgotten
    std::uint64_t backlog_max_ = 0;
    std::map<int, Change> changes_;
    int telling_ = 0;
    std::set<TargetId> telling_to_;
    std::optional<Violation> violation_;
};

}  // namespace orbridge::sim
