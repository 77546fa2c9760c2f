#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/deliver/recipe.h"
#include "bridge/deliver/retry_after.h"
#include "bridge/deliver/transport.h"
#include "bridge/store/store.h"
#include "tests/support/no_subscriptions.h"

namespace orbridge::test {

/// A clock that stands still until it is moved. Looked at from any thread, moved from one.
class ManualClock final : public Clock {
public:
    TimePoint now() const override { return now_; }
    void advance(milliseconds by) { now_ = now_.load() + by; }

private:
    std::atomic<TimePoint> now_{TimePoint{std::chrono::hours{500'000}}};
};

/// Keeps each request until the test answers it.
class ScriptedTransport final : public Transport {
public:
    struct Sent {
        HttpRequest request;
        Done done;
    };

    std::optional<TimePoint> admit(const HttpRequest& request) override {
        return on_admit ? on_admit(request) : std::nullopt;
    }
    void send(HttpRequest request, Done done) override {
        if (stopped_) return done({TransportFailure{TransportFailure::Reached::NothingSent, false, "stopped"}, {}});
        sent_.push_back({std::move(request), std::move(done)});
        ++total_;
    }
    void poll(milliseconds) override {
        if (on_poll) on_poll();
    }
    void wake() override {}
    void stop() override {
        stopped_ = true;
        while (!sent_.empty()) fail(0, TransportFailure::Reached::Unclear);
    }

    std::size_t waiting() const { return sent_.size(); }
    std::size_t total() const { return total_; }
    const HttpRequest& request(std::size_t index = 0) const { return sent_.at(index).request; }

    void answer(std::size_t index, int status, std::string body = {}, Headers headers = {}) {
        finish(index, HttpResponse{.status = status, .headers = std::move(headers), .body = std::move(body)});
    }
    void fail(std::size_t index, TransportFailure::Reached reached, bool timed_out = false) {
        finish(index, TransportFailure{reached, timed_out, "broken"});
    }
    void answer_all(int status) {
        for (auto left = sent_.size(); left > 0; --left) answer(0, status);
    }

    std::function<void()> on_poll;
    std::function<std::optional<TimePoint>(const HttpRequest&)> on_admit{};

private:
    void finish(std::size_t index, Exchange exchange) {
        const auto done = std::move(sent_.at(index).done);
        sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(index));
        done({std::move(exchange), milliseconds{7}});
    }

    std::deque<Sent> sent_;
    std::size_t total_ = 0;
    bool stopped_ = false;
};

/// 2xx is delivered, 4xx is rejected, all else is tried again. May ask about unclear attempts.
class PlainRecipe : public Recipe {
public:
    bool asks = false;
    bool follows = false;

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string&) const override {
        if (delivery.event.payload == "cannot be sent") return Error{Error::Kind::Invalid, "cannot be sent"};
        if (delivery.event.payload == "too late") return Error{Error::Kind::Conflict, "too late"};
        return HttpRequest{.method = "POST",
                           .url = "http://" + delivery.target.value + "/" + delivery.id.value,
                           .headers = {},
                           .body = delivery.event.payload};
    }
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override {
        if (response.status / 100 == 2) return Delivered{.reference = follows ? "job-" + delivery.id.value : ""};
        if (response.status == 429)
            return Retry{.reason = "HTTP 429", .why = Retry::Why::RateLimited, .at_least = retry_after(response)};
        if (response.status / 100 == 4) return Rejected{"HTTP " + std::to_string(response.status)};
        return Retry{.reason = "HTTP " + std::to_string(response.status)};
    }
    std::optional<HttpRequest> inquiry_for(const Delivery& delivery) const override {
        if (!asks) return std::nullopt;
        return HttpRequest{.method = "GET", .url = "http://ask/" + delivery.id.value};
    }
    Arrived arrived(const Delivery&, const HttpResponse& response) const override {
        return response.status == 200 ? Arrived::Yes : response.status == 404 ? Arrived::No : Arrived::Unknown;
    }
    std::optional<HttpRequest> follow_request(const FollowedJob& job) const override {
        if (!follows) return std::nullopt;
        return HttpRequest{.method = "GET", .url = "http://job/" + job.job};
    }
    FollowedJob followed(FollowedJob job, const HttpResponse& response) const override {
        ++job.checks;
        if (response.status == 404) job.state = "lost";
        if (response.status == 200) job.state = response.body;
        return job;
    }
};

/// The part of a store that delivering needs, with faults on demand. Deliveries of one order key wait for each
/// other, as Store promises.
class DeliveryStore : public testing::NoSubscriptions {
public:
    struct Row {
        Delivery delivery;
        std::string order_key;
        TimePoint due{};
        std::string state = "pending";
        std::uint64_t token = 0;  ///< 0: in nobody's hands
        std::vector<Attempt> attempts{};
        std::vector<RunRow> runs{};
        std::string reference{};
        bool follow = false;
    };

    bool failing = false;
    bool refusing = false;       ///< settle() is Internal
    bool losing_answer = false;  ///< the next settle() is Unavailable, although it took effect
    int claims = 0;
    std::vector<std::pair<std::string, int>> claimed;  ///< target, limit
    std::vector<std::size_t> batches;                  ///< sizes of settle()

    Row& add(const std::string& target, const std::string& order_key = {}, std::string payload = "{}") {
        Row row;
        row.delivery.id = {"d" + std::to_string(rows_.size() + 1)};
        row.delivery.target = {target};
        row.delivery.event.id = {"e" + std::to_string(rows_.size() + 1)};
        row.delivery.event.payload = std::move(payload);
        row.order_key = order_key;
        return rows_.emplace_back(std::move(row));
    }
    Row& row(std::size_t number) { return rows_.at(number - 1); }
    std::size_t count(const std::string& state) const;

    Result<ClaimBatch> claim(const TargetId& target, TimePoint now, milliseconds hold, int limit) override;
    Result<std::vector<bool>> settle(const std::vector<Settle>& settles, TimePoint now) override;
    void release(const std::vector<Claim>& claims) override;
    Result<std::vector<std::pair<TargetId, TimePoint>>> pending_targets() override;

    std::map<DeliveryId, FollowedJob> jobs;
    Result<std::vector<FollowedJob>> jobs_due(TimePoint now, int limit) override;
    Result<std::optional<TimePoint>> next_job_check() override;
    Status record_job(const FollowedJob& job) override;

    using Store::accept;
    using Store::remap;
    Result<std::vector<Accepted>> accept(const Arrival&) override { return none(); }
    Status remap(const EventId&, const std::vector<NewEvent>&) override { return none(); }
    Result<Headers> kept_headers(const EventId&) override { return none(); }
    Status add_deliveries(const EventId&, const std::vector<NewDelivery>&) override { return none(); }
    Result<std::uint64_t> end_pending(const std::optional<TargetId>& target, const std::optional<DeliveryId>& delivery,
                                      DeliveryState as, const std::string& reason, TimePoint now) override;
    Result<std::optional<FollowedJob>> job_of(const DeliveryId&) override { return none(); }
    Result<Event> event(const EventId&) override { return none(); }
    Result<std::vector<Event>> events(const EventQuery&) override { return none(); }
    Result<DeliveryRow> delivery(const DeliveryId&) override { return none(); }
    Result<std::vector<DeliveryRow>> deliveries(const DeliveryQuery&) override { return none(); }
    Result<std::vector<Attempt>> attempts(const DeliveryId&) override { return none(); }
    Result<StoreCounts> counts() override { return none(); }
    Result<std::vector<IntakeHeard>> intakes_heard() override { return none(); }
    std::map<std::string, std::string> notes;
    Result<std::optional<std::string>> note(const std::string& key) override;
    Status set_note(const std::string& key, const std::string& value) override;
    Result<std::uint64_t> prune(const RetentionPolicy&, TimePoint, int) override { return none(); }
    Status probe() override { return none(); }

private:
    static Error none() { return {Error::Kind::Internal, "not part of this fake"}; }
    static Error away() { return {Error::Kind::Unavailable, "disk is full"}; }
    bool waits_for_order(const Row& row) const;
    Row* held(const Claim& claim);

    std::deque<Row> rows_;
    std::uint64_t last_token_ = 0;
};

}  // namespace orbridge::test
