#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/core/random.h"
#include "bridge/core/secret.h"
#include "bridge/store/store.h"

namespace orbridge {

/// The tokens of the lease API, those of the configuration and those made at run time, and those that only read
/// snapshots. Kept as SHA-256 only, so
/// that looking one up takes no notice of how much of it is right. Safe from any thread; the store must outlive it.
class LeaseTokens {
public:
    explicit LeaseTokens(Store& store) : store_(store) {}

    Status load();
    /// What the configuration has now: name and value.
    void configure(const std::vector<std::pair<std::string, Secret>>& tokens);

    /// Of one that may register subscriptions.
    std::optional<std::string> name_of(const std::string& value) const;
    /// The sources whose snapshots a token may read; nothing: there is no such token, or it may read none.
    std::optional<std::vector<std::string>> readable_with(const std::string& value) const;

    /// Its value, which is never to be had again. `reads`: sources whose snapshots it may read, and nothing else.
    /// Conflict: the name is taken. Invalid: it is no name.
    Result<Secret> create(const std::string& name, Random& random, TimePoint now, std::vector<std::string> reads = {});
    Status remove(const std::string& name);

    struct Row {
        std::string name;
        bool configured = false;
        std::optional<TimePoint> created_at;
        std::vector<std::string> reads{};
    };
    std::vector<Row> rows() const;

private:
    struct State {
        std::map<std::string, std::string> configured;  ///< hash to name
        std::vector<ApiToken> stored;
    };
    Store& store_;
    Guarded<State> state_;
};

}  // namespace orbridge
