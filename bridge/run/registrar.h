#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/event.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// Why a source could not be asked, or would not do what it was asked.
struct Trouble {
    enum class Kind {
        Credentials,    ///< refused: nothing more may be tried, every wrong attempt counts against our address
        Rights,         ///< known, but not allowed
        Missing,        ///< the app that should answer is not there
        NotFound,       ///< the one thing asked for is not there
        Refused,        ///< this one thing is wrong: repeating changes nothing
        Busy,           ///< maintenance or too many requests: stay away for `at_least`
        Unreachable,    ///< no answer came
        Failed,         ///< an answer that says neither yes nor why not
        Configuration,  ///< something is missing on our side; nothing was sent
    };
    Kind kind = Kind::Failed;
    std::string message;  ///< a sentence for people, without secrets
    milliseconds at_least{0};
};

enum class RegistrationState {
    Present,   ///< was as wanted
    Created,   ///< by this pass
    Repaired,  ///< by this pass
    Removed,   ///< by this pass
    Refused,   ///< the source does not take it; asked again once a day
    Failed,    ///< could not be made so
    Foreign,   ///< made by somebody else and left alone
};

/// One thing registered, or wanted, at a source.
struct Registration {
    Intake kind = Intake::Webhooks;
    std::string event_class;  ///< or, for hooks, the schema
    std::string remote_id;    ///< the source's id for it; empty if it has none
    RegistrationState state = RegistrationState::Present;
    std::string detail;
    bool news = false;  ///< happened in this pass, not only found again: worth a log line
};

enum class RegistrarState {
    Ok,
    Degraded,  ///< works, but something that was asked for cannot arrive
    Failed,    ///< nothing can be said or done now; tried again
    Stopped,   ///< wrong credentials, or told to stop: only a hand, a reload or a restart goes on
};

/// What a pass found and did at one source.
struct RegistrarReport {
    SourceId source{};
    RegistrarState state = RegistrarState::Ok;
    std::string message{};  ///< why it is not Ok, else empty
    std::vector<Registration> registrations{};
    std::map<Intake, bool> as_configured{};    ///< per way in that is wanted
    std::vector<std::string> cannot_arrive{};  ///< plain sentences
    std::vector<std::string> notices{};        ///< worth knowing, nothing is wrong
    std::optional<Trouble> trouble{};          ///< what ended the pass early
    std::optional<TimePoint> checked_at{};     ///< end of the pass; nothing: none was made yet
    std::optional<TimePoint> next_try{};       ///< nothing: not by itself
};

const char* to_text(RegistrationState state);
const char* to_text(RegistrarState state);

/// Ends a pass: state, message and trouble follow from what happened.
void end_with(RegistrarReport& report, Trouble trouble);
/// Lowers the state to at least this bad and adds to the message.
void worsen(RegistrarReport& report, RegistrarState state, const std::string& message);
/// Adds what another part of the same source found.
void merge(RegistrarReport& into, RegistrarReport part);

/// One reconciliation. `afresh` asks again what was refused before (`orbridge register`).
struct Pass {
    TimePoint now{};
    bool afresh = false;
};

/// Slugs by kind (`register`, `schema`) and id.
using Slugs = std::map<std::string, std::map<std::string, std::string>>;

struct NamesAnswer {
    Slugs slugs;
    std::optional<Trouble> trouble;  ///< then the slugs are not to be used
};

/// Keeps what is registered at one source equal to what the configuration wants, touching nothing that
/// is not ours. Every call makes HTTP exchanges and waits for them; one thread at a time.
class Registrar {
public:
    virtual ~Registrar() = default;
    virtual const SourceId& source() const = 0;
    virtual RegistrarReport reconcile(const Pass& pass) = 0;
    /// Removes everything of ours.
    virtual RegistrarReport unregister(const Pass& pass) = 0;
    virtual NamesAnswer names() { return {}; }
    /// Equal texts mean equal address and credentials; says nothing about either.
    virtual std::string credentials_mark() const { return {}; }
};

}  // namespace orbridge
