#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/normalize/names.h"
#include "bridge/run/registrar.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Wait after the n-th failure in a row: 10 s doubling up to 15 min, never below what the source asked for.
milliseconds reconcile_backoff(const Trouble& trouble, int failures);

/// Runs all registrars: at start, then every `every`; backs off from a source that is in trouble; stops at
/// one that refuses our credentials. Also refreshes the readable names and keeps them over a restart.
/// step() belongs to one thread; everything else is safe from any.
class Reconciler {
public:
    struct Source {
        std::unique_ptr<Registrar> registrar;
        milliseconds every{std::chrono::minutes{5}};
        milliseconds names_every{std::chrono::minutes{10}};
        bool held = false;  ///< nothing by itself before reconcile_soon()
    };
    struct Tools {  ///< must outlive the reconciler
        Store& store;
        const Clock& clock;
        Random& random;
        Log& log;
        Names& names;
    };

    /// Reads the names kept by an earlier run, so that they are readable from the first event on.
    Reconciler(std::vector<Source> sources, Tools tools);

    /// Does what is due for at most one source, and says when to come again.
    milliseconds step();

    /// Reconcile as soon as possible, also where it was stopped, asking again what was refused before. With
    /// no source: all. Afterwards wake the thread that steps. False: no such source.
    bool reconcile_soon(const SourceId& source);
    void reconcile_all_soon();
    /// Remove everything of ours at a source, and leave it alone from then on until reconcile_soon().
    bool unregister_soon(const SourceId& source);

    /// Waits until everything wished for before is done. False: not within the limit.
    bool wait_until_done(milliseconds limit);

    std::vector<RegistrarReport> reports() const;

private:
    enum class Wish { Register, Unregister };
    struct Wishes {
        std::map<SourceId, Wish> open;
        int being_done = 0;
    };
    struct Entry {
        Source source;
        std::optional<TimePoint> due, names_due;  ///< nothing: not by itself
        int failures = 0, names_failures = 0;
        bool afresh = false;
    };

    void load_names(const SourceId& source);
    void save_names(const SourceId& source, const Slugs& slugs);
    void hold_if_refused_lately(Entry& entry);
    bool wish(const SourceId& source, Wish wish);
    void take_wish(Entry& entry);
    void reconcile(Entry& entry, TimePoint now);
    void unregister(Entry& entry, TimePoint now);
    void refresh_names(Entry& entry, TimePoint now);
    void plan(Entry& entry, RegistrarReport& report);
    void stop(Entry& entry);
    void publish(RegistrarReport report);
    void log_news(const RegistrarReport& report, const RegistrarReport& before);
    milliseconds later(milliseconds pause);
    milliseconds around(milliseconds pause);
    double chance();

    Tools tools_;
    std::vector<Entry> entries_;
    std::mutex wishes_mutex_;
    std::condition_variable wishes_done_;
    Wishes wishes_;
    Guarded<std::map<SourceId, RegistrarReport>> reports_;
};

}  // namespace orbridge
