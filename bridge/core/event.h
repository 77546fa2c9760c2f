#pragma once

#include <cstdint>
#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// One way in to a source (DESIGN "Words").
enum class Intake { Listeners, Webhooks, Hooks, Poll, Push, Record };

const char* to_text(Intake intake);
bool from_text(const std::string& text, Intake& intake);

enum class EventState {
    Mapped,
    Unmapped,  ///< verified, stored, but no mapping knew it; payload is the received body without secrets
    Erased,    ///< somebody's right to be forgotten: what is left tells that there was an event, and nothing of it
};

/// The normalized record.
struct Event {
    EventId id;
    std::uint64_t sequence = 0;  ///< order of acceptance, given by the store; 0 = not stored yet
    SourceId source;
    Intake intake = Intake::Push;
    EventState state = EventState::Mapped;
    std::string event_class;  ///< the origin's own event name
    std::string channel;
    std::string event_name;
    std::string subject;  ///< `object:3/12/<uuid>`; empty where the event is about nothing in particular
    TimePoint occurred_at{};
    TimePoint received_at{};
    std::string payload;  ///< JSON text
    /// It tells what was there before anything was heard of it, on demand: nothing that happened just now.
    bool backfilled = false;
};

}  // namespace orbridge
