#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bridge/store/keys.h"
#include "bridge/store/sqlite_store.h"

namespace orbridge {

// Everything that can be computed before the writer's thread has to wait for it.
struct SqliteStore::PackedDelivery {
    const NewDelivery* from = nullptr;
    Key16 id{};
    std::optional<std::int64_t> order_key{};
};

struct SqliteStore::PackedEvent {
    const NewEvent* from = nullptr;
    Key16 id{};
    std::string place{};   ///< of its subject's keys
    bool heard_of = true;  ///< something may be known of its subject; the writer finds out
    std::optional<Key16> dedup{}, twin{};
    std::vector<PackedDelivery> deliveries{};
};

}  // namespace orbridge
