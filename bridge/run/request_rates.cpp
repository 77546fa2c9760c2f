#include "bridge/run/request_rates.h"

#include <algorithm>

namespace orbridge {
namespace {

std::string origin_of(const std::string& url) {
    const auto host = url.find("://");
    return host == std::string::npos ? url : url.substr(0, url.find_first_of("/?#", host + 3));
}

/// The first allows fewer.
bool lower(const RateLimit& a, const RateLimit& b) {
    return static_cast<std::int64_t>(a.requests) * b.per.count() <
           static_cast<std::int64_t>(b.requests) * a.per.count();
}

}  // namespace

std::optional<TimePoint> RequestWindow::next(TimePoint now) {
    while (!until_.empty() && until_.front() <= now) until_.pop_front();
    for (auto& until : until_) until = std::min(until, now + limit_.per);  // the clock was set back
    if (under_way_ + static_cast<int>(until_.size()) < limit_.requests) return now;
    if (until_.empty()) return std::nullopt;
    return until_.front();
}

void RequestWindow::end(TimePoint now) {
    --under_way_;
    until_.push_back(now + limit_.per);
}

bool RequestGate::enter() {
    std::unique_lock lock(mutex_);
    const auto ticket = ++last_ticket_;
    waiting_.push_back(ticket);
    while (open_) {
        const auto now = clock_.now();
        const auto next = waiting_.front() == ticket ? window_.next(now) : std::nullopt;
        if (next && *next <= now) break;
        if (next) {
            changed_.wait_for(lock, *next - now);
        } else {
            changed_.wait(lock);
        }
    }
    std::erase(waiting_, ticket);
    if (open_) window_.begin();
    changed_.notify_all();
    return open_;
}

void RequestGate::leave() {
    const std::lock_guard lock(mutex_);
    window_.end(clock_.now());
    changed_.notify_all();
}

void RequestGate::set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
}

std::string asker_of(const SourceSettings& source) {
    const auto& app = source.app_api;
    const auto& token = source.oauth2;
    const auto kept = token ? token->owner + '\n' + token->credentials + '\n' + token->token_url : std::string();
    return kept + '\n' + origin_of(source.url) + '\n' + source.user + '\n' + source.password.reveal() + '\n' +
           source.bearer.reveal() + '\n' + (app ? app->id + '\n' + app->secret.reveal() : std::string());
}

void RequestRates::configure(const std::vector<SourceSettings>& sources) {
    std::map<std::string, RateLimit> limits;
    for (const auto& source : sources) {
        if (source.rate.requests == 0) continue;
        const auto [limit, fresh] = limits.emplace(asker_of(source), source.rate);
        if (!fresh && lower(source.rate, limit->second)) limit->second = source.rate;
    }
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::shared_ptr<RequestGate>> gates;
    for (const auto& [asker, limit] : limits) {
        const auto before = gates_.find(asker);
        const bool same = before != gates_.end() && before->second->limit() == limit;
        gates[asker] = same ? before->second : std::make_shared<RequestGate>(limit, clock_);
        gates[asker]->set_open(true);
    }
    gates_ = std::move(gates);
}

void RequestRates::close() {
    const std::lock_guard lock(mutex_);
    for (const auto& [asker, gate] : gates_) gate->set_open(false);
}

Exchanger RequestRates::limited(const SourceSettings& source, Exchanger send) const {
    const std::lock_guard lock(mutex_);
    const auto found = gates_.find(asker_of(source));
    if (found == gates_.end()) return send;
    return [gate = found->second, send = std::move(send)](HttpRequest request) -> Exchange {
        if (!gate->enter()) return TransportFailure{TransportFailure::Reached::NothingSent, false, "polling stops"};
        auto exchange = send(std::move(request));
        gate->leave();
        return exchange;
    };
}

}  // namespace orbridge
