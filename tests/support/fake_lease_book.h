#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "bridge/store/lease_book.h"

namespace orbridge::testing {

/// A lease book in memory, that can be told to fail.
class FakeLeaseBook final : public LeaseBook {
public:
    bool failing = false;
    std::vector<Subscription> all;

    std::vector<Subscription> find(const LeaseSelector& which, TimePoint now) const override {
        std::vector<Subscription> found;
        for (const auto& one : all)
            if (meant(one, which, now)) found.push_back(one);
        return found;
    }
    std::optional<Since> since;
    Status add(Subscription subscription, const std::optional<Since>& from) override {
        if (failing) return away();
        since = from;
        std::erase_if(all, [&](const auto& one) { return one.hook == subscription.hook; });
        all.push_back(std::move(subscription));
        return Ok{};
    }
    Result<std::vector<std::string>> renew(const LeaseSelector& which, TimePoint now, TimePoint lease_end) override {
        if (failing) return away();
        std::vector<std::string> hooks;
        for (auto& one : all) {
            if (!meant(one, which, now)) continue;
            one.lease_end = lease_end;
            hooks.push_back(one.hook);
        }
        return hooks;
    }
    Result<std::vector<std::string>> remove(const LeaseSelector& which, TimePoint now) override {
        if (failing) return away();
        std::vector<std::string> hooks;
        for (const auto& one : find(which, now)) hooks.push_back(one.hook);
        std::erase_if(all, [&](const auto& one) { return meant(one, which, now); });
        return hooks;
    }

private:
    static bool meant(const Subscription& one, const LeaseSelector& which, TimePoint now) {
        return one.lease_end > now && (!which.hook || *which.hook == one.hook) && (!which.url || *which.url == one.url);
    }
    static Error away() { return {Error::Kind::Unavailable, "the disk is full"}; }
};

}  // namespace orbridge::testing
