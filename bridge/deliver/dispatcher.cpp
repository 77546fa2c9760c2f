#include "bridge/deliver/dispatcher.h"

#include <algorithm>
#include <utility>

#include "bridge/deliver/retry_after.h"

namespace orbridge {
namespace {

/// Should a store name a time that has come and yet hand out nothing, it is not asked in a circle.
constexpr milliseconds kAskAgain{10};

Retry retry_after_failure(const TransportFailure& failure, const std::string& doing) {
    Retry retry;
    retry.reason = doing + failure.reason;
    retry.why = failure.timed_out ? Retry::Why::Timeout : Retry::Why::Trouble;
    retry.unclear = failure.reached == TransportFailure::Reached::Unclear;
    return retry;
}

Retry still_unknown(const Exchange& exchange) {
    const std::string doing = "asking whether an earlier attempt arrived: ";
    Retry retry;
    if (const auto* response = std::get_if<HttpResponse>(&exchange)) {
        retry.reason = doing + "HTTP " + std::to_string(response->status);
        retry.at_least = retry_after(*response);
        if (response->status == 429) retry.why = Retry::Why::RateLimited;
    } else {
        retry = retry_after_failure(std::get<TransportFailure>(exchange), doing);
    }
    retry.unclear = true;
    return retry;
}

const char* word_for(const Outcome& outcome) {
    return std::visit(Overloaded{[](const Delivered& d) { return d.duplicate ? "duplicate" : "delivered"; },
                                 [](const Advanced&) { return "advanced"; }, [](const Retry&) { return "retry"; },
                                 [](const Rejected&) { return "rejected"; }},
                      outcome);
}

std::string reason_of(const Outcome& outcome) {
    return std::visit(
        Overloaded{[](const Delivered&) { return std::string(); }, [](const Advanced&) { return std::string(); },
                   [](const Retry& retry) { return retry.reason; },
                   [](const Rejected& rejected) { return rejected.reason; }},
        outcome);
}

std::string message_of(const Outcome& outcome) {
    if (const auto* delivered = std::get_if<Delivered>(&outcome)) return delivered->message;
    const auto* advanced = std::get_if<Advanced>(&outcome);
    return advanced != nullptr ? advanced->message : std::string();
}

/// What the history of runs and the attempt have in common.
void tell_run(Settle& settle, RunRow run) {
    auto& attempt = settle.attempt;
    attempt.task = run.task;
    attempt.step = run.step;
    run.at = attempt.started_at;
    run.duration = attempt.duration;
    run.target = settle.claim.delivery.target.value;
    run.who = "delivery";
    run.success = attempt.reason.empty();
    run.message = run.success ? attempt.message : attempt.reason;
    settle.run = std::move(run);
}

}  // namespace

Dispatcher::Dispatcher(Store& store, Transport& transport, Recorder& recorder, const Clock& clock, Random& random,
                       Log& log, DispatcherSettings settings)
    : store_(store),
      transport_(transport),
      recorder_(recorder),
      clock_(clock),
      random_(random),
      log_(log),
      settings_(settings) {
    configured_.in_flight_max = settings_.in_flight_max;
    recorder_.when_due([this](const Recorder::Dues& dues) { tell(dues); });
}

// ---- told from other threads ----------------------------------------------------------------------

void Dispatcher::set_family(TargetFamily family) {
    family_ = std::move(family);
    family_group_.in_flight_max = family_.in_flight_max;
}

void Dispatcher::set_targets(std::vector<DeliveryTarget> targets) {
    inbox_.with([&](Inbox& inbox) { inbox.targets = std::move(targets); });
    transport_.wake();
}

void Dispatcher::wake(const std::vector<TargetId>& targets) {
    inbox_.with([&](Inbox& inbox) {
        for (const auto& target : targets) inbox.dues[target] = TimePoint{};
    });
    transport_.wake();
}

void Dispatcher::tell(const Recorder::Dues& dues) {
    inbox_.with([&](Inbox& inbox) {
        for (const auto& [target, due] : dues) {
            const auto [entry, added] = inbox.dues.emplace(target, due);
            if (!added) entry->second = std::min(entry->second, due);
        }
    });
    transport_.wake();
}

// ---- which targets have something to do -----------------------------------------------------------

milliseconds Dispatcher::step() {
    const auto now = clock_.now();
    take_inbox(now);
    // Never for longer than the pause, also if the clock has been set back.
    if (blocked_until_ && now < *blocked_until_ && *blocked_until_ - now <= settings_.store_pause) return pause(now);
    blocked_until_.reset();
    if (!all_restored_ && !restore_lanes(now)) return pause(now);
    if (!missing_reported_) report_missing(now);
    start_timed(now);
    claim_ready(now);
    forget_idle();
    return pause(now);
}

void Dispatcher::take_inbox(TimePoint now) {
    auto inbox = inbox_.with([](Inbox& shared) { return std::exchange(shared, {}); });
    if (inbox.targets) configure(*std::move(inbox.targets), now);
    for (const auto& order : inbox.orders) obey(order, now);
    for (auto& performance : inbox.performances) performed(std::move(performance));
    for (const auto& [target, due] : inbox.dues) set_due(lane_of(target), due, now);
}

void Dispatcher::configure(std::vector<DeliveryTarget> targets, TimePoint now) {
    for (auto& [id, lane] : lanes_)
        if (!of_family(*lane)) lane->recipe = nullptr;
    for (auto& target : targets) {
        auto& lane = lane_of(target.id);
        configure(lane, std::move(target), now);
        lane.reported = false;
        set_due(lane, TimePoint{}, now);
    }
    for (auto& [id, lane] : lanes_)
        if (!lane->recipe) hide(*lane);
    missing_reported_ = false;
    all_restored_ = false;
}

void Dispatcher::configure(Lane& lane, DeliveryTarget target, TimePoint now) {
    lane.recipe = std::move(target.recipe);
    lane.retry = std::move(target.retry);
    lane.latest_only = std::move(target.latest_only);
    lane.limited = target.rate.requests > 0;
    lane.gate.configure({target.in_flight_max, target.rate, target.breaker, lane.retry.wait_max});
    show(lane, now);
}

/// What waits for a target that is not configured stays pending: it may come back, or be cancelled by hand.
void Dispatcher::report_missing(TimePoint now) {
    const auto pending = store_.pending_targets();
    if (!pending) return store_failed(pending.error(), now);
    missing_reported_ = true;
    for (const auto& [id, due] : *pending) {
        auto& lane = lane_of(id);
        if (of_family(lane)) {
            set_due(lane, due, now);
        } else if (!lane.recipe && !std::exchange(lane.reported, true)) {
            log_.warn("target.not_configured", {{"target", id}, {"pending_since", to_iso8601(due)}});
        }
    }
}

Dispatcher::Lane& Dispatcher::lane_of(const TargetId& id) {
    auto& lane = lanes_[id];
    if (!lane) {
        lane = std::make_unique<Lane>();
        lane->id = id;
        lane->group = family_.find && id.value.starts_with(family_.prefix) ? &family_group_ : &configured_;
        lane->restored = of_family(*lane);  // its state is not kept
    }
    return *lane;
}

void Dispatcher::set_due(Lane& lane, TimePoint due, TimePoint now) {
    if (of_family(lane) && !refresh(lane, now)) return;
    lane.due = std::min(lane.due.value_or(due), due);
    queue(lane, now);
}

/// What a target of the family is now. False: it is not there any more, and what waits for it has ended.
bool Dispatcher::refresh(Lane& lane, TimePoint now) {
    auto target = family_.find(lane.id);
    perhaps_idle_.push_back(lane.id);
    if (target) {
        configure(lane, *std::move(target), now);
        return true;
    }
    lane.recipe = nullptr;
    lane.due.reset();
    queue(lane, now);
    const auto ended =
        store_.end_pending(lane.id, std::nullopt, DeliveryState::Expired, "there is no such target", now);
    if (!ended) {  // asked for again, as nothing else would
        log_.error("dispatcher.store_unavailable", {{"reason", ended.error().message}});
        lane.due = now + settings_.store_pause;
        queue(lane, now);
    }
    return false;
}

/// Whoever comes and goes must not be remembered for ever: of those in trouble one is looked at each time.
void Dispatcher::forget_idle() {
    if (perhaps_idle_.empty()) return;
    for (const auto& id : std::exchange(perhaps_idle_, {}))
        if (!forget(id)) idle_in_trouble_.push_back(id);
    if (idle_in_trouble_.empty()) return;
    const auto id = std::move(idle_in_trouble_.front());
    idle_in_trouble_.pop_front();
    if (!forget(id)) idle_in_trouble_.push_back(id);
}

/// False: it is idle, but its gate knows something that is still of use.
bool Dispatcher::forget(const TargetId& id) {
    const auto found = lanes_.find(id);
    if (found == lanes_.end()) return true;
    auto& lane = *found->second;
    if (lane.in_flight > 0 || lane.due || lane.timer || lane.ready) return true;
    if (!lane.gate.at_rest(clock_.now()) && family_.find(id)) return false;
    hide(lane);
    lanes_.erase(found);
    return true;
}

/// Puts the lane where it belongs: among the ready, the timed, or nowhere.
void Dispatcher::queue(Lane& lane, TimePoint now) {
    if (lane.timer) timers_.erase({*std::exchange(lane.timer, std::nullopt), &lane});
    if (lane.ready || !lane.due || !lane.restored) return;
    const bool gone = of_family(lane) && !lane.recipe;  // what waits for it is still to be ended
    if (!gone && !lane.recipe) return;
    auto when = *lane.due;
    if (!gone && lane.gate.room(now, lane.in_flight) == 0) {
        const auto opening = lane.gate.opens(now, lane.in_flight);
        if (!opening) return;
        when = std::max(when, *opening);
        show(lane, now);
    }
    if (when <= now && !gone) {
        lane.ready = true;
        lane.group->ready.push_back(&lane);
    } else {
        lane.timer = when;
        timers_.emplace(when, &lane);
    }
}

void Dispatcher::start_timed(TimePoint now) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
        auto& lane = *timers_.begin()->second;
        if (!of_family(lane) || refresh(lane, now)) queue(lane, now);
    }
}

bool Dispatcher::may_claim(const Group& group) const {
    return group.in_flight < group.in_flight_max && recorder_.backlog() < settings_.backlog_max;
}

void Dispatcher::claim_ready(TimePoint now) {
    claim_ready(configured_, now);
    claim_ready(family_group_, now);
}

void Dispatcher::claim_ready(Group& group, TimePoint now) {
    while (!group.ready.empty() && may_claim(group)) {
        auto& lane = *group.ready.front();
        group.ready.pop_front();
        lane.ready = false;
        int room = lane.recipe ? lane.gate.room(now, lane.in_flight) : 0;
        if (lane.one_by_one) room = std::min(room, 1);
        if (room == 0) {
            queue(lane, now);  // it has gone, or become full, since it was put there
        } else if (!claim_from(lane, room, now)) {
            return;
        }
    }
}

/// An equal share of the room for each target that waits for it.
bool Dispatcher::claim_from(Lane& lane, int room, TimePoint now) {
    const int of_all = lane.group->in_flight_max - lane.group->in_flight;
    const int share = std::max(1, of_all / static_cast<int>(lane.group->ready.size() + 1));
    auto batch = store_.claim(lane.id, now, settings_.hold, std::min(share, room));
    if (!batch) {
        store_failed(batch.error(), now);
        queue(lane, now);
        return false;
    }
    lane.due = batch->next_due;
    if (batch->claims.empty() && lane.due) lane.due = std::max(*lane.due, now + kAskAgain);
    if (!batch->claims.empty() && lane.gate.probing(now)) log_gate(lane, "target.breaker", now);
    lane.gate.started(static_cast<int>(batch->claims.size()), now);
    for (auto& claim : batch->claims) begin(lane, std::move(claim), now);
    queue(lane, now);
    return true;
}

void Dispatcher::store_failed(const Error& error, TimePoint now) {
    blocked_until_ = now + settings_.store_pause;
    log_.error("dispatcher.store_unavailable", {{"reason", error.message}});
}

/// What waits for room, or for the recorder, is woken by it.
milliseconds Dispatcher::pause(TimePoint now) const {
    auto until = blocked_until_;
    if (!until && !timers_.empty()) until = timers_.begin()->first;
    return until ? std::max(*until - now, milliseconds{0}) : Transport::kNoEnd;
}

// ---- one attempt ----------------------------------------------------------------------------------

void Dispatcher::begin(Lane& lane, Claim claim, TimePoint now) {
    lane.shown->in_flight = ++lane.in_flight;
    ++lane.group->in_flight;
    ++in_flight_;
    const auto flight = std::make_shared<Flight>();
    flight->claim = std::move(claim);
    flight->lane = &lane;
    flight->of_target = lane.recipe;
    flight->recipe = lane.recipe->for_attempt(flight->claim.delivery, flight->claim.route);
    if (!flight->recipe) flight->recipe = lane.recipe;
    flight->started_at = now;
    flight->unclear = flight->claim.delivery.unclear;
    if (flight->unclear) {
        if (auto inquiry = flight->recipe->inquiry_for(flight->claim.delivery)) return ask(flight, *std::move(inquiry));
    }
    send(flight);
}

void Dispatcher::ask(const FlightPtr& flight, HttpRequest inquiry) {
    if (const auto again = transport_.admit(inquiry)) return defer(flight, *again);
    transport_.send(std::move(inquiry),
                    [this, flight](Transport::Finished finished) { asked(flight, std::move(finished)); });
}

void Dispatcher::asked(const FlightPtr& flight, Transport::Finished finished) {
    flight->duration += finished.duration;
    if (given_back(flight, finished.exchange)) return;
    const auto* response = std::get_if<HttpResponse>(&finished.exchange);
    const auto& delivery = flight->claim.delivery;
    const auto arrived = response != nullptr ? flight->recipe->arrived(delivery, *response) : Recipe::Arrived::Unknown;
    switch (arrived) {
        case Recipe::Arrived::Yes:
            return conclude(flight, Delivered{.reference = delivery.id.value, .duplicate = true}, response);
        case Recipe::Arrived::No:
            if (flight->claim.until <= clock_.now()) return lose(flight);
            flight->unclear = false;
            return send(flight);
        case Recipe::Arrived::Unknown: return conclude(flight, still_unknown(finished.exchange), response);
    }
}

void Dispatcher::send(const FlightPtr& flight) {
    if (threads_.run && flight->recipe->blocks(flight->claim.route)) return perform(flight);
    auto request = flight->recipe->request_for(flight->claim.delivery, flight->claim.route);
    if (!request) {
        if (request.error().kind == Error::Kind::Conflict) return drop(flight, request.error().message);
        if (request.error().kind == Error::Kind::Invalid)
            return conclude(flight, Rejected{request.error().message}, nullptr);
        return conclude(flight, Retry{.reason = request.error().message}, nullptr);
    }
    if (const auto again = transport_.admit(*request)) return defer(flight, *again);
    flight->claim.delivery.event.payload = {};  // it is in the request now, and may be large
    transport_.send(*std::move(request),
                    [this, flight](Transport::Finished finished) { sent(flight, std::move(finished)); });
}

void Dispatcher::sent(const FlightPtr& flight, Transport::Finished finished) {
    flight->duration += finished.duration;
    if (given_back(flight, finished.exchange)) return;
    if (const auto* failure = std::get_if<TransportFailure>(&finished.exchange)) {
        auto retry = retry_after_failure(*failure, "");
        retry.reason = flight->recipe->shown(std::move(retry.reason));
        return conclude(flight, retry, nullptr);
    }
    const auto& response = std::get<HttpResponse>(finished.exchange);
    conclude(flight, flight->recipe->outcome_on(flight->claim.delivery, flight->claim.route, response), &response);
}

/// At a stop, what was certainly not seen by the other side is no attempt.
bool Dispatcher::given_back(const FlightPtr& flight, const Exchange& exchange) {
    const auto* failure = std::get_if<TransportFailure>(&exchange);
    if (!stopping_ || failure == nullptr || failure->reached != TransportFailure::Reached::NothingSent) return false;
    give_back(flight);
    return true;
}

/// A rate that it shares with others is used up. No attempt was made; from then on it takes one after the other, as
/// each has to wait for its turn.
void Dispatcher::defer(const FlightPtr& flight, TimePoint again) {
    flight->lane->one_by_one = true;
    flight->lane->due = again;
    give_back(flight);
}

void Dispatcher::give_back(const FlightPtr& flight) {
    store_.release({flight->claim});
    leave(flight);
}

void Dispatcher::conclude(const FlightPtr& flight, const Outcome& outcome, const HttpResponse* response) {
    if (response == nullptr) return conclude(flight, outcome, Answered{});
    conclude(flight, outcome,
             Answered{.any = true, .status = response->status, .text = flight->recipe->shown(response->body)});
}

void Dispatcher::conclude(const FlightPtr& flight, const Outcome& outcome, Answered answered) {
    Settle settle;
    settle.claim = std::move(flight->claim);
    const auto& delivery = settle.claim.delivery;
    const int number = delivery.attempts_made + 1;
    settle.attempt = {.number = number,
                      .started_at = flight->started_at,
                      .duration = flight->duration,
                      .status = answered.status,
                      .outcome = word_for(outcome),
                      .reason = reason_of(outcome),
                      .answer = std::move(answered.text)};
    const auto* retry = std::get_if<Retry>(&outcome);
    const double random = retry != nullptr ? random_.unit() : 0;
    const auto now = clock_.now();
    settle.settlement =
        orbridge::settle(outcome, number - delivery.progress.attempts, flight->lane->retry, now, random);
    if (const auto* advanced = std::get_if<Advanced>(&outcome)) settle.progress = Progress{advanced->done, number};
    gate_changed(*flight->lane, flight->lane->gate.ended(outcome, answered.any, now), now);
    // A doubt stays until an answer has settled it: this attempt may have failed before it could.
    settle.unclear = retry != nullptr && (retry->unclear || flight->unclear);
    settle.gives_way = retry != nullptr && flight->lane->latest_only.contains(settle.claim.route);
    if (const auto* delivered = std::get_if<Delivered>(&outcome)) {
        settle.reference = delivered->reference;
        const FollowedJob job{
            .delivery = delivery.id, .target = delivery.target, .job = settle.reference, .state = {}, .result = {}};
        settle.follow_job = !settle.reference.empty() && flight->recipe->follow_request(job).has_value();
    }
    settle.attempt.message = message_of(outcome);
    if (auto run = flight->recipe->run()) tell_run(settle, *std::move(run));
    settle.claim.delivery.event.payload = {};
    leave(flight);
    recorder_.add(std::move(settle));
}

/// Its time is over: it ends without an attempt.
void Dispatcher::drop(const FlightPtr& flight, const std::string& reason) {
    const auto now = clock_.now();
    auto& lane = *flight->lane;
    const auto ended = store_.end_pending(std::nullopt, flight->claim.delivery.id, DeliveryState::Expired, reason, now);
    if (!ended) {
        store_.release({flight->claim});
        store_failed(ended.error(), now);
    }
    lane.due = std::min(lane.due.value_or(now), now);  // what waited behind it
    leave(flight);
}

/// Its hold has run out, as when the clock is put forward: it may be in other hands, and is theirs to send.
void Dispatcher::lose(const FlightPtr& flight) {
    const auto now = clock_.now();
    log_.warn("delivery.claim_lost",
              {{"delivery", flight->claim.delivery.id}, {"target", flight->claim.delivery.target}});
    flight->lane->due = std::min(flight->lane->due.value_or(now), now);
    leave(flight);
}

void Dispatcher::leave(const FlightPtr& flight) {
    auto& lane = *flight->lane;
    --in_flight_;
    --lane.group->in_flight;
    --lane.in_flight;
    if (lane.shown) lane.shown->in_flight = lane.in_flight;
    if (of_family(lane)) perhaps_idle_.push_back(lane.id);
    queue(lane, clock_.now());
}

// ---- the loop -------------------------------------------------------------------------------------

void Dispatcher::run(const std::stop_token& stop) {
    const std::stop_callback waking(stop, [this] { transport_.wake(); });
    while (!stop.stop_requested()) transport_.poll(step());
    finish();
}

void Dispatcher::finish() {
    stopping_ = true;
    const auto until = clock_.now() + settings_.stop_timeout;
    take_performances();
    for (auto now = clock_.now(); in_flight_ > 0 && now < until; now = clock_.now()) {
        transport_.poll(until - now);
        take_performances();
    }
    threads_stop_.request_stop();
    transport_.stop();
    stop_threads();
}

}  // namespace orbridge
