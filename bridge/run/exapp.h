#pragma once

#include <functional>
#include <optional>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/guarded.h"
#include "bridge/core/log.h"
#include "bridge/run/source_client.h"

namespace orbridge {

/// The life of a Nextcloud ExApp (nextcloud.md §5.2, §5.3): what Nextcloud asks of us, and what we tell it. A
/// restart of an enabled app tells us nothing, so we ask. Everything given to it must outlive it.
class ExApp {
public:
    struct Calls {
        /// Why the app cannot work; empty: it can.
        std::function<std::string()> fault;
        /// The app is enabled: what is to be registered at Nextcloud may be. Must not block.
        std::function<void()> enabled;
        /// The app is about to be disabled: removes what is registered. Blocks. What went wrong, or nothing.
        std::function<std::string()> disabled;
    };

    ExApp(const AppApiSettings& settings, Exchanger exchange, Calls calls, const Clock& clock, Log& log);

    // From any thread; each wakes whoever steps, as told by `when_work`.
    /// `POST /init`: the progress is told by step(), since Nextcloud wants the answer first.
    void init();
    void enable();
    /// What went wrong, or nothing.
    std::string disable();
    void when_work(std::function<void()> wake) { wake_ = std::move(wake); }

    /// Whether Nextcloud has said so; false as long as it has said nothing.
    bool is_enabled() const;

    /// Asks whether we are enabled, or tells how far the start is. How long until the next time. One thread.
    milliseconds step();

private:
    struct State {
        std::optional<bool> enabled;  ///< nothing: nobody has told yet
        bool init_wanted = false;
        bool given_up = false;  ///< our secret was refused: only a call of Nextcloud's goes on
        std::optional<TimePoint> due;
        int failures = 0;
    };
    void ask_state();
    void tell_progress();
    void later(const Trouble& trouble, std::string_view doing);
    Reply call(std::string method, const std::string& path, std::string body) const;

    SourceAccess access_;
    Exchanger exchange_;
    Calls calls_;
    const Clock& clock_;
    Log& log_;
    std::function<void()> wake_;
    Guarded<State> state_;
};

}  // namespace orbridge
