#include "bridge/run/request_rates.h"

#include <algorithm>

#include "bridge/core/text.h"

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

/// Who shows this `Authorization` there.
std::string asker_of(const std::string& origin, const std::string& authorization) {
    return origin + '\n' + authorization;
}

}  // namespace

std::string asker_of(const SourceSettings& source) {
    const auto origin = origin_of(source.url);
    if (const auto& token = source.oauth2)
        return "oauth2\n" + origin + '\n' + token->owner + '\n' + token->credentials + '\n' + token->token_url;
    if (const auto& app = source.app_api)
        return "exapp\n" + origin + '\n' + app->id + '\n' + app->secret.reveal() + '\n' + source.user;
    if (!source.bearer.empty()) return asker_of(origin, "Bearer " + source.bearer.reveal());
    if (!source.user.empty())
        return asker_of(origin, "Basic " + to_base64(source.user + ":" + source.password.reveal()));
    return asker_of(origin, "");
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
    any_ = !gates_.empty();
}

std::shared_ptr<RequestGate> RequestRates::gate_for(const HttpRequest& request) const {
    if (!any_) return nullptr;
    const auto* authorization = find_header(request.headers, "Authorization");
    if (authorization == nullptr) return nullptr;
    const std::lock_guard lock(mutex_);
    const auto found = gates_.find(asker_of(origin_of(request.url), *authorization));
    return found == gates_.end() ? nullptr : found->second;
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
