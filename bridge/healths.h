#pragma once

#include <map>
#include <optional>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/deliver/recorder.h"
#include "bridge/record/health.h"
#include "bridge/settings/settings.h"
#include "bridge/store/store.h"

namespace orbridge {

/// How targets and sources do, as one part of the daemon: who tells it, and that it is kept. Safe from any thread.
/// Everything given to it must outlive it.
class Healths {
public:
    Healths(Store& store, Recorder& recorder, const Clock& clock);

    /// The targets and sources of these settings are all there are from now on.
    void configure(const Settings& settings);
    void recorded(const Settle& settle);
    /// The end of a step of polling: what went wrong, or nothing.
    void polled(const SourceId& source, const std::string& error);
    void refused(const SourceId& source, const std::string& reason);

    std::map<std::string, Health> targets() const { return targets_.all(); }
    std::map<std::string, Health> sources() const { return sources_.all(); }
    /// Hands what was not stored yet to the recorder. For a stop.
    void keep_all();

private:
    std::optional<TimePoint> last_heard(const SourceId& source);

    Store& store_;
    const Clock& clock_;
    HealthBook targets_, sources_;
};

}  // namespace orbridge
