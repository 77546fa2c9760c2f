#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"
#include "bridge/core/secret.h"
#include "bridge/store/store.h"

namespace orbridge {

/// What a registrar must still know after a restart: a few texts by name, kept as one note of the store.
/// Never holds a secret, only fingerprints. One thread.
class Remembered {
public:
    /// The store must outlive it.
    Remembered(Store& store, std::string key) : store_(store), key_(std::move(key)) {}

    /// Reads the note. Until this worked once, nothing may be decided from what is remembered.
    Status load();
    /// Writes the note if anything changed since.
    Status save();

    std::string get(const std::string& name) const;
    void set(const std::string& name, const std::string& value);
    void erase(const std::string& name);
    void clear();
    /// All names that begin so, with their values; the names without the beginning.
    std::map<std::string, std::string> beginning(std::string_view prefix) const;

    void set_time(const std::string& name, TimePoint time);
    std::optional<TimePoint> time(const std::string& name) const;

private:
    Store& store_;
    std::string key_;
    std::map<std::string, std::string> texts_;
    bool changed_ = false;
};

/// Tells whether a secret is still the same one without keeping it.
std::string fingerprint(const Secret& secret, std::string_view purpose);

}  // namespace orbridge
