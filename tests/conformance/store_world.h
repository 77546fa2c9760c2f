#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bridge/core/ids.h"
#include "bridge/core/random.h"
#include "bridge/store/memory_store.h"
#include "bridge/store/open.h"
#include "bridge/store/store.h"
#include "tests/support/temporary_folder.h"

namespace orbridge::testing {

template <class T>
std::string message_of(const Result<T>& result) {
    return result.has_value() ? "" : result.error().message;
}

class HandClock final : public Clock {
public:
    TimePoint now() const override { return time; }
    TimePoint time{milliseconds{1'774'512'000'000}};
};

using test::TemporaryFolder;

/// What makes events and deliveries, and the time they are made at.
struct Maker {
    HandClock clock;
    SeededRandom random{1};
    IdMaker ids{clock, random};

    NewDelivery delivery_to(const std::string& target, const std::string& order_key = "") {
        return {ids.delivery_id(), {target}, "route", order_key, clock.time, false};
    }
    NewEvent event_with(std::vector<NewDelivery> deliveries, const std::string& dedup_key = "") {
        Event event{ids.event_id(), 0,          {"cloud"},  Intake::Webhooks, EventState::Mapped, "Created", "Object",
                    "created:a:b",  "object:1", clock.time, clock.time,       R"({"a":1})"};
        return {std::move(event), dedup_key, "", std::move(deliveries)};
    }
    NewEvent event_to(const std::string& target, const std::string& order_key = "") {
        return event_with({delivery_to(target, order_key)});
    }
};

struct InMemory {
    std::unique_ptr<Store> open(const Clock&) { return std::make_unique<MemoryStore>(); }
    static void restart(std::unique_ptr<Store>& store, const Clock&) { dynamic_cast<MemoryStore&>(*store).restart(); }
};

struct InSqlite {
    TemporaryFolder folder;
    std::vector<std::unique_ptr<Log>> logs;  // as long as the stores
    StoreSettings settings() const {
        StoreSettings settings;
        settings.path = (folder.path / "store.db").string();
        return settings;
    }
    Result<std::unique_ptr<Store>> try_open(const Clock& clock) {
        logs.push_back(std::make_unique<Log>(clock, Log::Level::Error, to_nowhere()));
        return open_store(settings(), clock, *logs.back());
    }
    std::unique_ptr<Store> open(const Clock& clock) {
        auto store = try_open(clock);
        BOOST_REQUIRE_MESSAGE(store.has_value(), message_of(store));
        return *std::move(store);
    }
    void restart(std::unique_ptr<Store>& store, const Clock& clock) {
        store.reset();
        store = open(clock);
    }
};

inline constexpr milliseconds kHold{30'000};

/// A store with shorthands that fail the test where the store fails.
template <class Place>
struct World : Maker {
    Place place;
    std::unique_ptr<Store> store = place.open(clock);

    /// As if the process had ended and another had begun.
    void restart() { place.restart(store, clock); }

    Accepted accept(const NewEvent& event) {
        auto accepted = store->accept(event);
        BOOST_REQUIRE_MESSAGE(accepted.has_value(), message_of(accepted));
        return *accepted;
    }
    ClaimBatch claim(const std::string& target, int limit = 10) {
        auto batch = store->claim({target}, clock.time, kHold, limit);
        BOOST_REQUIRE(batch.has_value());
        return *std::move(batch);
    }
    std::vector<std::string> claimed_ids(const std::string& target, int limit = 10) {
        std::vector<std::string> ids_;
        for (const auto& claim : claim(target, limit).claims) ids_.push_back(claim.delivery.id.value);
        return ids_;
    }
    Settle end_of(const Claim& claim, Settlement settlement) const {
        Settle settle;
        settle.claim = claim;
        settle.attempt = {
            claim.delivery.attempts_made + 1, clock.time, milliseconds{12}, 200, "delivered", "why", "ok"};
        settle.settlement = std::move(settlement);
        return settle;
    }
    bool settle(const Claim& claim, Settlement settlement) {
        const auto recorded = store->settle({end_of(claim, std::move(settlement))}, clock.time);
        BOOST_REQUIRE(recorded.has_value());
        return recorded->front();
    }
    DeliveryRow row(const DeliveryId& id) {
        auto row = store->delivery(id);
        BOOST_REQUIRE(row.has_value());
        return *row;
    }
};

}  // namespace orbridge::testing
