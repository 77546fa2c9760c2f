#include <algorithm>

#include "bridge/store/memory_store.h"

namespace orbridge {

Result<std::vector<Subscription>> MemoryStore::subscriptions() {
    return state_.with([](const State& state) -> Result<std::vector<Subscription>> {
        std::vector<Subscription> all;
        for (const auto& [registration, subscription] : state.subscriptions) all.push_back(subscription);
        return all;
    });
}

Result<std::uint64_t> MemoryStore::put_subscription(const Subscription& subscription) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::erase_if(state.subscriptions, [&](const auto& item) { return item.second.hook == subscription.hook; });
        const auto registration = ++state.last_registration;
        state.subscriptions[registration] = subscription;
        state.subscriptions[registration].registration = registration;
        return registration;
    });
}

Status MemoryStore::update_subscriptions(const std::vector<Subscription>& subscriptions) {
    state_.with([&](State& state) {
        for (const auto& changed : subscriptions) {
            const auto found = state.subscriptions.find(changed.registration);
            if (found == state.subscriptions.end()) continue;
            found->second.leased_at = changed.leased_at;
            found->second.lease_end = changed.lease_end;
            found->second.gone = changed.gone;
            found->second.secret = changed.secret;
            found->second.secret_before = changed.secret_before;
        }
    });
    return Ok{};
}

Status MemoryStore::remove_subscriptions(const std::vector<std::uint64_t>& registrations) {
    state_.with([&](State& state) {
        for (const auto registration : registrations) state.subscriptions.erase(registration);
    });
    return Ok{};
}

Result<std::vector<ApiToken>> MemoryStore::api_tokens() {
    return state_.with([](const State& state) -> Result<std::vector<ApiToken>> {
        std::vector<ApiToken> all;
        for (const auto& [name, token] : state.api_tokens) all.push_back(token);
        return all;
    });
}

Status MemoryStore::put_api_token(const ApiToken& token) {
    const bool added = state_.with([&](State& state) { return state.api_tokens.emplace(token.name, token).second; });
    if (!added) return Error{Error::Kind::Conflict, "there is a token named " + token.name};
    return Ok{};
}

Status MemoryStore::remove_api_token(const std::string& name) {
    const bool removed = state_.with([&](State& state) { return state.api_tokens.erase(name) != 0; });
    if (!removed) return Error{Error::Kind::NotFound, "there is no token named " + name};
    return Ok{};
}

}  // namespace orbridge
