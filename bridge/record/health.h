#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/guarded.h"

namespace orbridge {

/// How it last went with one target or source (integrations.md T6).
struct Health {
    std::optional<TimePoint> last_success{}, last_error{};
    std::string error{};  ///< the last one; without secrets
    int failures = 0;     ///< since the last success
};

/// As a note, and back. A text that cannot be read is no health.
std::string to_note(const Health& health);
Health health_from(const std::string& note);

/// The health of all targets, or of all sources. A failure, and the success after one, is handed out to be stored at
/// once; other successes at most every `keep_every`, so that a busy target does not keep the disk busy too. Safe from
/// any thread.
class HealthBook {
public:
    /// Stores a note soon.
    using Keep = std::function<void(const std::string& key, std::string value)>;
    /// `prefix`: of the notes' keys.
    HealthBook(std::string prefix, Keep keep, milliseconds keep_every = milliseconds{10'000});

    /// These are all there are from now on. `read`: gives the note of a key, asked for those that are new.
    void set_names(const std::set<std::string>& names,
                   const std::function<std::optional<std::string>(const std::string& key)>& read);

    // Of names that are not among them nothing is kept.
    void succeeded(const std::string& name, TimePoint at);
    /// `other_success`: one that this book was not told of.
    void failed(const std::string& name, TimePoint at, const std::string& error,
                std::optional<TimePoint> other_success = std::nullopt);

    std::map<std::string, Health> all() const;
    /// Hands out all that was not stored yet. For a stop.
    void keep_all();

private:
    struct Entry {
        Health health;
        TimePoint kept_at{};
        bool kept = true;
    };
    void keep(const std::string& name, Entry& entry, TimePoint now);

    const std::string prefix_;
    const Keep keep_;
    const milliseconds keep_every_;
    Guarded<std::map<std::string, Entry>> entries_;
};

}  // namespace orbridge
