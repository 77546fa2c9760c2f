#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bridge/core/random.h"
#include "bridge/deliver/transport.h"
#include "tests/sim/faults.h"
#include "tests/sim/ledger.h"
#include "tests/sim/other_side.h"
#include "tests/sim/virtual_time.h"

namespace orbridge::sim {

/// How one exchange goes.
enum class Fate {
    Answered,
    AnsweredLate,
    Never,         ///< no answer within the deadline; it may have been acted upon, or will be
    Refused,       ///< no connection
    ResetBefore,   ///< the connection breaks before the other side acted
    ResetAfter,    ///< … or after
    Trouble,       ///< HTTP 503, nothing done
    TroubleAfter,  ///< HTTP 502 of a proxy, and yet it was done
    Limited,       ///< HTTP 429, Retry-After in seconds
    LimitedUntil,  ///< … as a date
    Page,          ///< HTTP 200 with a page that means nothing
    Unwanted,      ///< refused for good
    CrashBefore,   ///< the bridge's process ends when it wants to send
};
inline constexpr int kFates = 13;

const char* to_text(Fate fate);

/// Of a thousand exchanges, so many end in each way. The rest is answered.
using Manner = std::map<Fate, int>;

/// Exchanges with simulated other sides on virtual time. It and the other sides outlive the bridge's process.
class SimTransport final : public Transport {
public:
    SimTransport(VirtualClock& clock, Agenda& agenda, Random& random, Ledger& ledger, Trace& trace)
        : clock_(clock), agenda_(agenda), random_(random), ledger_(ledger), trace_(trace) {}

    void add(const TargetId& target, OtherSide::Kind kind, Manner manner);
    void set_manner(const TargetId& target, Manner manner) { sides_.at(target.value).manner = std::move(manner); }
    /// All targets answer from now on.
    void calm();
    void fate_of_nth(int n, Fate fate) { nth_left_ = n, nth_ = fate; }
    bool nth_reached() const { return nth_left_ == 0; }
    void one_at_a_time() { one_at_a_time_ = true; }

    /// Whom to tell when poll() has something to do or wake() was called. Each life of the bridge has its own.
    void begin_life(std::function<void()> awake);
    /// The process is gone: nobody hears of what was under way.
    void end_life();
    bool quiet() const { return acts_.empty(); }

    void send(HttpRequest request, Done done) override;
    void poll(milliseconds wait_max) override;
    void wake() override;
    void stop() override;

private:
    struct Side {
        Side(const TargetId& target, OtherSide::Kind kind, Ledger& ledger, Manner how)
            : other(target, kind, ledger), manner(std::move(how)) {}
        OtherSide other;
        Manner manner;
    };
    struct Pending {
        TargetId target;
        DeliveryId delivery;
        bool inquiry = false;
        Fate fate = Fate::Answered;
        std::shared_ptr<HttpResponse> answer;  ///< filled when the other side acts
        Done done;
        milliseconds started{0};
    };
    using Key = std::pair<milliseconds, std::uint64_t>;

    Fate draw(const Side& side);
    void plan(Pending pending, milliseconds timeout);
    void plan_act(const Pending& pending, milliseconds when);
    void run_acts();
    void finish(Pending pending);
    Exchange exchange_of(const Pending& pending, ExchangeEnd& end);
    HttpResponse limited(bool as_date, ExchangeEnd& end);
    milliseconds some(int least, int most);

    VirtualClock& clock_;
    Agenda& agenda_;
    Random& random_;
    Ledger& ledger_;
    Trace& trace_;
    std::map<std::string, Side> sides_;
    std::map<Key, Pending> pending_;
    std::map<Key, std::function<void()>> acts_;
    std::uint64_t number_ = 0;
    std::function<void()> awake_;
    bool stopped_ = false;
    int nth_left_ = -1;
    Fate nth_ = Fate::Answered;
    bool one_at_a_time_ = false;
    milliseconds busy_until_{0};
};

}  // namespace orbridge::sim
