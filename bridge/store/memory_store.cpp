#include "bridge/store/memory_store.h"

#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/store/keys.h"
#include "bridge/store/memory_queries.h"

namespace orbridge {
namespace {

constexpr std::size_t kAnswerBytesMax = 20'000;

Error no_event(const EventId& id) { return {Error::Kind::NotFound, "there is no event " + id.value}; }
Error no_delivery(const DeliveryId& id) { return {Error::Kind::NotFound, "there is no delivery " + id.value}; }

TimePoint created_at(const DeliveryId& id) {
    const auto key = pack_uuid(id.value);
    return key ? time_of_uuid(key->view()) : TimePoint{};
}

bool matches(const EventQuery& query, const Event& event) {
    return (!query.state || *query.state == event.state) && wants(query.source, event.source.value) &&
           wants(query.channel, event.channel) && wants(query.subject, event.subject) &&
           within(event.received_at, query.since, query.until) &&
           (query.before_sequence == 0 || event.sequence < query.before_sequence) &&
           event.sequence > query.after_sequence;
}

bool matches(const DeliveryQuery& query, const DeliveryRow& row) {
    return (!query.state || *query.state == row.state) && wants(query.target, row.target.value) &&
           wants(query.event, row.event.value) && within(row.created_at, query.since, query.until) &&
           (query.before_id.empty() || row.id.value < query.before_id) && row.id.value > query.after_id;
}

std::optional<Error> bad_id(const NewEvent& event) {
    if (!is_uuid(event.event.id.value)) return Error{Error::Kind::Invalid, "event id is not a UUID"};
    for (const auto& delivery : event.deliveries)
        if (!is_uuid(delivery.id.value)) return Error{Error::Kind::Invalid, "delivery id is not a UUID"};
    return std::nullopt;
}

/// What a dedup key is kept under. Not by the subject's own name, which may have to be forgotten.
std::pair<SourceId, std::string> dedup_of(const Event& event, const std::string& key) {
    return {event.source, erased_name(event.subject) + "\n" + key};
}

}  // namespace

// ---- accept

Result<std::vector<Accepted>> MemoryStore::accept(const Arrival& arrival) {
    for (const auto& event : arrival.events)
        if (auto bad = bad_id(event)) return *bad;
    return state_.with([&](State& state) -> Result<std::vector<Accepted>> {
        for (const auto& event : arrival.events) {
            for (const auto& delivery : event.deliveries) {
                if (state.delivery_ids.count(delivery.id) != 0 && state.event_ids.count(event.event.id) == 0)
                    return Error{Error::Kind::Unavailable, "a delivery with the id " + delivery.id.value + " exists"};
            }
        }
        for (const auto& arrived : arrival.events) {
            const auto& event = arrived.event;
            if (event.backfilled) continue;  // nothing was heard just now
            auto& heard = state.heard[{event.source.value, event.intake}];
            heard = {event.source.value, event.intake, std::max(heard.last_at, event.received_at), heard.count + 1};
        }
        if (arrival.events.empty()) {
            store_rest(state, arrival);
            return std::vector<Accepted>{};
        }
        auto accepted = store(state, arrival);
        if (!accepted.empty()) store_rest(state, arrival);
        if (accepted.empty()) return Error{Error::Kind::Unavailable, "cannot store the event: it is new"};
        return accepted;
    });
}

/// None: something is new, and only what is known was wanted.
std::vector<Accepted> MemoryStore::store(State& state, const Arrival& arrival) const {
    const std::pair request(arrival.events.front().event.source, arrival.request_id);
    if (const auto known = state.requests.find(request); !arrival.request_id.empty() && known != state.requests.end())
        return std::vector<Accepted>(arrival.events.size(), Accepted{state.events.at(known->second).event.id, true});
    std::vector<Accepted> accepted;
    for (const auto& event : arrival.events) {
        const auto one = store_one(state, event, arrival.only_if_known);
        if (!one) return {};
        accepted.push_back(*one);
    }
    if (!arrival.request_id.empty() && !arrival.only_if_known)
        state.requests[request] = state.event_ids.at(accepted.front().id);
    return accepted;
}

std::optional<Accepted> MemoryStore::store_one(State& state, const NewEvent& event, bool only_if_known) const {
    if (event.event.backfilled) return store_backfilled(state, event, only_if_known);
    if (!event.leaves || event.event.subject.empty()) return store_unless_known(state, event, only_if_known);
    const std::pair place(event.event.source, event.event.subject);
    const auto found = state.snapshots.find(place);
    const auto before = found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    const bool late = event.event.sequence != 0;
    const auto verdict =
        late ? judge_late(before, *event.leaves, event.event) : judge(before, *event.leaves, event.event.intake);
    if (verdict.same) return Accepted{before->event.value.empty() ? event.event.id : before->event, true};
    auto as_stored = event;
    if (verdict.real) {
        as_stored.twin_key.clear();
        if (state.dedup.count(dedup_of(event.event, event.dedup_key)) != 0)
            as_stored.dedup_key = again_key(event.dedup_key, before->version);
    }
    auto accepted = store_unless_known(state, as_stored, only_if_known);
    const bool news = accepted && !accepted->duplicate && !verdict.keep;
    if (!news && (!accepted || before)) return accepted;
    auto& stored = state.events.at(state.event_ids.at(accepted->id));
    if (stored.event.state == EventState::Erased) return accepted;
    auto difference = leave_snapshot(state, before, event, accepted->id);
    if (news) stored.difference = std::move(difference);
    return accepted;
}

std::optional<Difference> MemoryStore::leave_snapshot(State& state, const std::optional<Snapshot>& before,
                                                      const NewEvent& event, const EventId& stored_as) const {
    auto update = following(before, before ? 0 : state.floors[event.event.source], *event.leaves, event.event,
                            stored_as, old_state_bytes_max_);
    state.snapshots[{event.event.source, event.event.subject}] = std::move(update.after);
    return std::move(update.difference);
}

std::optional<Accepted> MemoryStore::store_backfilled(State& state, const NewEvent& event, bool only_if_known) const {
    const auto found = state.snapshots.find({event.event.source, event.event.subject});
    auto known = found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    if (!known && event.leaves)
        known = first_sight(*event.leaves, state.floors[event.event.source], event.event.received_at);
    if (!is_untold(known)) return Accepted{known && !known->event.value.empty() ? known->event : event.event.id, true};
    auto accepted = store_unless_known(state, event, only_if_known);
    if (!accepted || state.events.at(state.event_ids.at(accepted->id)).event.state == EventState::Erased)
        return accepted;
    known->event = accepted->id;
    state.snapshots[{event.event.source, event.event.subject}] = *std::move(known);
    return accepted;
}

std::optional<Accepted> MemoryStore::store_unless_known(State& state, const NewEvent& event, bool only_if_known) const {
    if (const auto earlier = find_duplicate(state, event)) return Accepted{*earlier, true};
    if (only_if_known) return std::nullopt;
    store_new(state, event);
    return Accepted{event.event.id, false};
}

void MemoryStore::store_rest(State& state, const Arrival& arrival) {
    for (const auto& seen : arrival.seen) {
        state.snapshots.try_emplace({arrival.seen_at, seen.subject},
                                    first_sight(seen.state, state.floors[arrival.seen_at], arrival.seen_when));
    }
    if (arrival.bookmark) state.notes[arrival.bookmark->key] = arrival.bookmark->value;
}

void MemoryStore::store_new(State& state, const NewEvent& event) {
    const auto sequence = ++state.last_sequence;
    auto& stored = state.events[sequence];
    stored = {event.event, {}, event.twin_key, {event.event.intake}, 0, {}};
    stored.event.sequence = sequence;
    if (event.event.state == EventState::Unmapped) stored.headers = event.headers;
    state.event_ids[event.event.id] = sequence;
    if (!event.dedup_key.empty()) {
        const auto key = dedup_of(event.event, event.dedup_key);
        stored.dedup_keys.insert(key.second);
        state.dedup[key] = sequence;
    }
    add(state, stored, event.deliveries);
}

std::optional<EventId> MemoryStore::find_duplicate(State& state, const NewEvent& event) const {
    const auto& source = event.event.source;
    if (!event.dedup_key.empty()) {
        const auto same = state.dedup.find(dedup_of(event.event, event.dedup_key));
        if (same != state.dedup.end()) return state.events.at(same->second).event.id;
    }
    if (state.event_ids.count(event.event.id) != 0) return event.event.id;
    if (event.twin_key.empty()) return std::nullopt;
    for (auto& [sequence, earlier] : state.events) {
        const auto apart = std::chrono::abs(event.event.received_at - earlier.event.received_at);
        const bool about_same = earlier.event.source == source && earlier.event.subject == event.event.subject;
        if (earlier.twin_key != event.twin_key || !about_same || apart > twin_window_) continue;
        // Polling sees whole objects, as webhooks do: only what schema hooks tell it cannot know again by itself.
        const auto intakes = std::pair(event.event.intake, earlier.event.intake);
        const bool polled = intakes.first == Intake::Poll || intakes.second == Intake::Poll;
        const bool hooked = intakes.first == Intake::Hooks || intakes.second == Intake::Hooks;
        if (polled && !hooked) continue;
        if (!earlier.seen.insert(event.event.intake).second) continue;
        if (!event.dedup_key.empty()) {
            const auto key = dedup_of(event.event, event.dedup_key);
            earlier.dedup_keys.insert(key.second);
            state.dedup[key] = sequence;
        }
        return earlier.event.id;
    }
    return std::nullopt;
}

void MemoryStore::add(State& state, StoredEvent& to, const std::vector<NewDelivery>& deliveries) {
    for (const auto& asked : deliveries) {
        const Place place{to.event.sequence, to.deliveries++};
        auto cut = asked.cut;
        if (asked.latest_only && cut.empty()) cut = supersede(state, asked, place);
        auto& delivery = state.deliveries[place];
        delivery.asked = asked;
        delivery.due_at = asked.due_at;
        state.delivery_ids[asked.id] = place;
        if (!cut.empty()) {
            delivery.state = DeliveryState::Cancelled;
            delivery.ended_at = asked.due_at;
            delivery.reason = std::move(cut);
            continue;
        }
        if (!asked.order_key.empty()) {
            auto& open = state.open[{asked.target, asked.order_key}];
            delivery.waiting = !open.empty();
            open.insert(place);
        }
        if (!delivery.waiting) state.claimable[asked.target].insert({asked.due_at, place});
    }
}

std::string MemoryStore::superseded_by(const State& state, const Place& younger) {
    return "superseded by " + state.events.at(younger.first).event.id.value;
}

/// Ends what is older and waits. Not empty: why the new one itself is over.
std::string MemoryStore::supersede(State& state, const NewDelivery& by, const Place& at) {
    const auto open = state.open.find({by.target, by.order_key});
    if (by.order_key.empty() || open == state.open.end()) return {};
    const auto places = open->second;
    if (at < *places.rbegin()) return superseded_by(state, *places.rbegin());
    for (auto place = places.rbegin(); place != places.rend(); ++place) {  // the last first: none is promoted
        auto& delivery = state.deliveries.at(*place);
        if (delivery.token == 0) end(state, delivery, DeliveryState::Cancelled, superseded_by(state, at), by.due_at);
    }
    return {};
}

Status MemoryStore::remap(const EventId& id, const std::vector<NewEvent>& mapped) {
    return state_.with([&](State& state) -> Status {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return no_event(id);
        auto& stored = state.events.at(known->second);
        if (stored.event.state != EventState::Unmapped)
            return Error{Error::Kind::Conflict, "the event is mapped already"};
        bool has_form = false;
        for (const auto& event : mapped) {
            if (has_form) {
                store_one(state, event, false);
                continue;
            }
            const auto same = state.dedup.find(dedup_of(event.event, event.dedup_key));
            if (!event.dedup_key.empty() && same != state.dedup.end() && same->second != known->second) continue;
            give_form(state, stored, event);
            has_form = true;
        }
        if (has_form) return Ok{};
        return Error{Error::Kind::Conflict, "the same event is stored already"};
    });
}

void MemoryStore::give_form(State& state, StoredEvent& stored, const NewEvent& mapped) const {
    const auto& source = stored.event.source;
    if (!mapped.dedup_key.empty()) {
        for (const auto& key : stored.dedup_keys) state.dedup.erase({source, key});
        const auto key = dedup_of(mapped.event, mapped.dedup_key);
        stored.dedup_keys = {key.second};
        state.dedup[key] = stored.event.sequence;
    }
    auto event = mapped.event;
    event.id = stored.event.id;
    event.sequence = stored.event.sequence;
    event.source = stored.event.source;
    event.intake = stored.event.intake;
    event.received_at = stored.event.received_at;
    event.state = EventState::Mapped;
    stored.event = event;
    stored.twin_key = mapped.twin_key;
    stored.headers.clear();
    add(state, stored, mapped.deliveries);
    if (!mapped.leaves || event.subject.empty()) return;
    const auto found = state.snapshots.find({source, event.subject});
    const auto before = found == state.snapshots.end() ? std::nullopt : std::optional(found->second);
    if (judge_late(before, *mapped.leaves, event).keep) return;
    stored.difference = leave_snapshot(state, before, mapped, event.id);
}

Result<Headers> MemoryStore::kept_headers(const EventId& id) {
    return state_.with([&](State& state) -> Result<Headers> {
        const auto known = state.event_ids.find(id);
        return known == state.event_ids.end() ? Headers{} : state.events.at(known->second).headers;
    });
}

Status MemoryStore::add_deliveries(const EventId& id, const std::vector<NewDelivery>& deliveries) {
    return state_.with([&](State& state) -> Status {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return no_event(id);
        if (state.events.at(known->second).event.state == EventState::Erased)
            return Error{Error::Kind::NotFound, "the event " + id.value + " was erased"};
        auto unknown = deliveries;
        std::erase_if(unknown, [&](const NewDelivery& one) { return state.delivery_ids.count(one.id) != 0; });
        add(state, state.events.at(known->second), unknown);
        return Ok{};
    });
}

// ---- deliver

Result<ClaimBatch> MemoryStore::claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) {
    return state_.with([&](State& state) -> Result<ClaimBatch> {
        ClaimBatch batch;
        const auto earliest = [&](TimePoint at) { batch.next_due = std::min(batch.next_due.value_or(at), at); };
        for (const auto& [due, place] : state.claimable[target]) {
            const auto& delivery = state.deliveries.at(place);
            if (delivery.token != 0 && delivery.until > now) {
                earliest(delivery.until);
                continue;
            }
            if (due > now || static_cast<int>(batch.claims.size()) >= limit) {
                earliest(due);
                break;
            }
            batch.claims.push_back(hand_out(state, place, now + hold));
        }
        return batch;
    });
}

Claim MemoryStore::hand_out(State& state, const Place& place, TimePoint until) {
    auto& delivery = state.deliveries.at(place);
    delivery.token = ++state.last_token;
    delivery.until = until;
    const auto& asked = delivery.asked;
    return {{asked.id, asked.target, state.events.at(place.first).event, delivery.attempts_made, delivery.unclear,
             asked.replayed, asked.mark, state.events.at(place.first).difference, delivery.progress},
            asked.route,
            delivery.token,
            until};
}

MemoryStore::StoredDelivery* MemoryStore::held(State& state, const Claim& claim, TimePoint now) {
    const auto known = state.delivery_ids.find(claim.delivery.id);
    if (known == state.delivery_ids.end() || claim.token == 0) return nullptr;
    auto& delivery = state.deliveries.at(known->second);
    const bool lost = delivery.token != claim.token || delivery.until <= now;
    return lost || delivery.state != DeliveryState::Pending ? nullptr : &delivery;
}

Result<std::vector<bool>> MemoryStore::settle(const std::vector<Settle>& settles, TimePoint now) {
    return state_.with([&](State& state) -> Result<std::vector<bool>> {
        std::vector<bool> recorded;
        for (const auto& settle : settles) {
            auto* delivery = held(state, settle.claim, now);
            recorded.push_back(delivery != nullptr);
            if (delivery != nullptr) record(state, *delivery, settle, now);
        }
        return recorded;
    });
}

void MemoryStore::record(State& state, StoredDelivery& delivery, const Settle& settle, TimePoint now) const {
    delivery.token = 0;
    if (settle.progress) delivery.progress = *settle.progress;
    if (settle.run) {
        auto run = *settle.run;
        run.delivery = delivery.asked.id.value;
        keep_run(state, run);
    }
    delivery.unclear = settle.unclear;
    auto attempt = settle.attempt;
    attempt.number = ++delivery.attempts_made;
    attempt.answer = attempt.answer.substr(0, kAnswerBytesMax);
    delivery.attempts.push_back(attempt);
    const auto& id = delivery.asked.id;
    const auto& target = delivery.asked.target;
    if (settle.follow_job) state.jobs.emplace(id, FollowedJob{id, target, settle.reference, "waiting", "", 0, now});
    std::visit(Overloaded{[&](const Finished&) {
                              delivery.reference = settle.reference;
                              end(state, delivery, DeliveryState::Delivered, "", now);
                          },
                          [&](const Dead& dead) {
                              delivery.reference = settle.reference;
                              end(state, delivery, DeliveryState::Dead, dead.reason, now);
                          },
                          [&](const RetryAt& retry) {
                              const auto place = state.delivery_ids.at(id);
                              const auto open = state.open.find({target, delivery.asked.order_key});
                              if (settle.gives_way && open != state.open.end() && place < *open->second.rbegin()) {
                                  return end(state, delivery, DeliveryState::Cancelled,
                                             superseded_by(state, *open->second.rbegin()), now);
                              }
                              state.claimable[target].erase({delivery.due_at, place});
                              delivery.due_at = retry.due;
                              delivery.reason = attempt.reason;
                              state.claimable[target].insert({delivery.due_at, place});
                          }},
               settle.settlement);
}

void MemoryStore::end(State& state, StoredDelivery& delivery, DeliveryState as, const std::string& reason,
                      TimePoint now) {
    const auto place = state.delivery_ids.at(delivery.asked.id);
    const auto& target = delivery.asked.target;
    state.claimable[target].erase({delivery.due_at, place});
    const bool was_waiting = std::exchange(delivery.waiting, false);
    delivery.state = as;
    delivery.ended_at = now;
    delivery.reason = reason;
    delivery.token = 0;
    if (delivery.asked.order_key.empty()) return;
    const auto key = state.open.find({target, delivery.asked.order_key});
    key->second.erase(place);
    if (key->second.empty()) {
        state.open.erase(key);
    } else if (!was_waiting) {
        auto& next = state.deliveries.at(*key->second.begin());
        next.waiting = false;
        state.claimable[target].insert({next.due_at, *key->second.begin()});
    }
}

void MemoryStore::release(const std::vector<Claim>& claims) {
    state_.with([&](State& state) {
        for (const auto& claim : claims)
            if (auto* delivery = held(state, claim, TimePoint::min())) delivery->token = 0;
    });
}

Result<std::vector<std::pair<TargetId, TimePoint>>> MemoryStore::pending_targets() {
    return state_.with([](State& state) -> Result<std::vector<std::pair<TargetId, TimePoint>>> {
        std::vector<std::pair<TargetId, TimePoint>> targets;
        for (const auto& [target, due] : state.claimable)
            if (!due.empty()) targets.emplace_back(target, due.begin()->first);
        return targets;
    });
}

Result<std::uint64_t> MemoryStore::end_pending(const std::optional<TargetId>& target,
                                               const std::optional<DeliveryId>& wanted, DeliveryState as,
                                               const std::string& reason, TimePoint now) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::uint64_t ended = 0;
        if (!target && !wanted) return ended;
        for (auto& [place, delivery] : state.deliveries) {
            if (delivery.state != DeliveryState::Pending) continue;
            if (target && delivery.asked.target != *target) continue;
            if (wanted && delivery.asked.id != *wanted) continue;
            end(state, delivery, as, reason, now);
            ++ended;
        }
        return ended;
    });
}

// ---- jobs followed

Result<std::vector<FollowedJob>> MemoryStore::jobs_due(TimePoint now, int limit) {
    return state_.with([&](State& state) -> Result<std::vector<FollowedJob>> {
        std::vector<FollowedJob> due;
        for (const auto& [id, job] : state.jobs)
            if (!job_ended(job) && job.next_check_at <= now) due.push_back(job);
        std::stable_sort(due.begin(), due.end(),
                         [](const auto& a, const auto& b) { return a.next_check_at < b.next_check_at; });
        if (due.size() > static_cast<std::size_t>(std::max(0, limit))) due.resize(static_cast<std::size_t>(limit));
        return due;
    });
}

Result<std::optional<TimePoint>> MemoryStore::next_job_check() {
    return state_.with([](State& state) -> Result<std::optional<TimePoint>> {
        std::optional<TimePoint> next;
        for (const auto& [id, job] : state.jobs)
            if (!job_ended(job)) next = std::min(next.value_or(job.next_check_at), job.next_check_at);
        return next;
    });
}

Status MemoryStore::record_job(const FollowedJob& job) {
    return state_.with([&](State& state) -> Status {
        if (state.delivery_ids.count(job.delivery) == 0) return no_delivery(job.delivery);
        auto& kept = state.jobs[job.delivery] = job;
        const auto& event = state.events.at(state.delivery_ids.at(job.delivery).first).event;
        if (event.state == EventState::Erased) kept.result.clear();
        if (event.state == EventState::Erased && !job_ended(kept)) kept.state = "lost";
        return Ok{};
    });
}

Result<std::optional<FollowedJob>> MemoryStore::job_of(const DeliveryId& delivery) {
    return state_.with([&](State& state) -> Result<std::optional<FollowedJob>> {
        const auto found = state.jobs.find(delivery);
        return found == state.jobs.end() ? std::nullopt : std::optional(found->second);
    });
}

// ---- ask

Result<Event> MemoryStore::event(const EventId& id) {
    return state_.with([&](State& state) -> Result<Event> {
        const auto known = state.event_ids.find(id);
        if (known == state.event_ids.end()) return no_event(id);
        return state.events.at(known->second).event;
    });
}

Result<std::vector<Event>> MemoryStore::events(const EventQuery& query) {
    return state_.with([&](State& state) -> Result<std::vector<Event>> {
        std::vector<Event> found;
        for (const auto& [sequence, stored] : state.events)
            if (matches(query, stored.event)) found.push_back(stored.event);
        if (!query.oldest_first) std::reverse(found.begin(), found.end());
        if (static_cast<int>(found.size()) > query.limit)
            found.resize(static_cast<std::size_t>(std::max(0, query.limit)));
        return found;
    });
}

DeliveryRow MemoryStore::row_of(const State& state, const Place& place, const StoredDelivery& delivery) {
    const auto& event = state.events.at(place.first).event;
    DeliveryRow row;
    row.id = delivery.asked.id;
    row.event = event.id;
    row.target = delivery.asked.target;
    row.route = delivery.asked.route;
    row.state = delivery.state;
    row.in_flight = delivery.token != 0;
    row.waiting_for_order = delivery.waiting;
    row.attempts_made = delivery.attempts_made;
    row.unclear = delivery.unclear;
    row.replayed = delivery.asked.replayed;
    row.created_at = created_at(row.id);
    if (row.state == DeliveryState::Pending) row.due_at = delivery.due_at;
    row.ended_at = delivery.ended_at;
    row.reason = delivery.reason;
    row.reference = delivery.reference;
    row.event_class = event.event_class;
    row.channel = event.channel;
    row.event_name = event.event_name;
    row.subject = event.subject;
    return row;
}

Result<DeliveryRow> MemoryStore::delivery(const DeliveryId& id) {
    return state_.with([&](State& state) -> Result<DeliveryRow> {
        const auto known = state.delivery_ids.find(id);
        if (known == state.delivery_ids.end()) return no_delivery(id);
        return row_of(state, known->second, state.deliveries.at(known->second));
    });
}

Result<std::vector<DeliveryRow>> MemoryStore::deliveries(const DeliveryQuery& query) {
    for (const auto* id : {&query.before_id, &query.after_id})
        if (!id->empty() && !is_uuid(*id)) return Error{Error::Kind::Invalid, "no delivery id: " + *id};
    return state_.with([&](State& state) -> Result<std::vector<DeliveryRow>> {
        std::vector<DeliveryRow> found;
        for (const auto& [id, place] : state.delivery_ids) {
            auto row = row_of(state, place, state.deliveries.at(place));
            if (matches(query, row)) found.push_back(std::move(row));
        }
        if (!query.oldest_first) std::reverse(found.begin(), found.end());
        if (static_cast<int>(found.size()) > query.limit)
            found.resize(static_cast<std::size_t>(std::max(0, query.limit)));
        return found;
    });
}

Result<std::vector<Attempt>> MemoryStore::attempts(const DeliveryId& id) {
    return state_.with([&](State& state) -> Result<std::vector<Attempt>> {
        const auto known = state.delivery_ids.find(id);
        if (known == state.delivery_ids.end()) return std::vector<Attempt>{};
        return state.deliveries.at(known->second).attempts;
    });
}

std::uint64_t MemoryStore::pending() const {
    return state_.with([](const State& state) {
        const auto open = [](const auto& each) { return each.second.state == DeliveryState::Pending; };
        return static_cast<std::uint64_t>(std::count_if(state.deliveries.begin(), state.deliveries.end(), open));
    });
}

std::uint64_t MemoryStore::pending_for(const TargetId& target) const {
    return state_.with([&](const State& state) {
        const auto open = [&](const auto& each) {
            return each.second.state == DeliveryState::Pending && each.second.asked.target == target;
        };
        return static_cast<std::uint64_t>(std::count_if(state.deliveries.begin(), state.deliveries.end(), open));
    });
}

Result<StoreCounts> MemoryStore::counts() {
    return state_.with([](State& state) -> Result<StoreCounts> {
        StoreCounts counts;
        counts.events = state.events.size();
        for (const auto& [sequence, stored] : state.events)
            if (stored.event.state == EventState::Unmapped) ++counts.unmapped;
        for (const auto& [place, delivery] : state.deliveries) {
            auto& row = counts.targets[delivery.asked.target];
            const auto created = created_at(delivery.asked.id);
            switch (delivery.state) {
                case DeliveryState::Pending:
                    ++row.pending;
                    row.oldest_pending = std::min(row.oldest_pending.value_or(created), created);
                    break;
                case DeliveryState::Delivered: ++row.delivered; break;
                case DeliveryState::Dead: ++row.dead; break;
                case DeliveryState::Expired: ++row.expired; break;
                case DeliveryState::Cancelled: ++row.cancelled; break;
            }
        }
        return counts;
    });
}

Result<std::vector<IntakeHeard>> MemoryStore::intakes_heard() {
    return state_.with([](State& state) -> Result<std::vector<IntakeHeard>> {
        std::vector<IntakeHeard> rows;
        for (const auto& [key, row] : state.heard) rows.push_back(row);
        return rows;
    });
}

Result<std::optional<std::string>> MemoryStore::note(const std::string& key) {
    return state_.with([&](State& state) -> Result<std::optional<std::string>> {
        const auto found = state.notes.find(key);
        return found == state.notes.end() ? std::nullopt : std::optional(found->second);
    });
}

Status MemoryStore::set_note(const std::string& key, const std::string& value) {
    state_.with([&](State& state) { state.notes[key] = value; });
    return Ok{};
}

// ---- keep house

void MemoryStore::restart() {
    state_.with([](State& state) {
        for (auto& [place, delivery] : state.deliveries) delivery.token = 0;
    });
}

Result<std::uint64_t> MemoryStore::prune(const RetentionPolicy& policy, TimePoint now, int limit) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::vector<std::uint64_t> old;
        for (const auto& [sequence, stored] : state.events) {
            if (static_cast<int>(old.size()) >= limit) break;
            if (removable(state, stored, policy, now)) old.push_back(sequence);
        }
        for (const auto sequence : old) remove(state, sequence);
        return std::uint64_t{old.size()};
    });
}

bool MemoryStore::removable(const State& state, const StoredEvent& stored, const RetentionPolicy& policy,
                            TimePoint now) {
    if (stored.event.received_at >= now - policy.finished) return false;
    for (int number = 0; number < stored.deliveries; ++number) {
        const auto& delivery = state.deliveries.at({stored.event.sequence, number});
        const auto kept_for = delivery.state == DeliveryState::Dead ? policy.dead : policy.finished;
        if (!delivery.ended_at || *delivery.ended_at >= now - kept_for) return false;
    }
    return true;
}

void MemoryStore::remove(State& state, std::uint64_t sequence) {
    const auto& stored = state.events.at(sequence);
    for (int number = 0; number < stored.deliveries; ++number) {
        const auto found = state.deliveries.find({sequence, number});
        state.jobs.erase(found->second.asked.id);
        std::erase_if(state.runs, [&](const RunRow& run) { return run.delivery == found->second.asked.id.value; });
        state.delivery_ids.erase(found->second.asked.id);
        state.deliveries.erase(found);
    }
    for (const auto& key : stored.dedup_keys) state.dedup.erase({stored.event.source, key});
    std::erase_if(state.requests, [&](const auto& request) { return request.second == sequence; });
    state.event_ids.erase(stored.event.id);
    state.events.erase(sequence);
}

}  // namespace orbridge
