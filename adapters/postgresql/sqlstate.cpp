#include "adapters/postgresql/sqlstate.h"

#include <algorithm>
#include <array>

namespace orbridge::postgresql {
namespace {

using Is = NativeEnd::Is;

constexpr std::size_t kLength = 5;

struct Rule {
    std::string_view beginning;
    Is is;
};

/// The first that fits. What is not here is about the task itself.
constexpr std::array kRules = {
    Rule{"57014", Is::Timeout},        // cancelled, by statement_timeout
    Rule{"57P04", Is::Misconfigured},  // the database was dropped
    Rule{"57", Is::Trouble},           // an operator intervened: shut down, restarting
    Rule{"08", Is::Trouble},           // the connection
    Rule{"40", Is::Trouble},           // rolled back: serialization, deadlock
    Rule{"53", Is::Trouble},           // out of memory, disk, connections
    Rule{"55", Is::Trouble},           // in use, locked
    Rule{"58", Is::Trouble},           // the server's own files
    Rule{"XX", Is::Trouble},           // a defect or a damaged index there
    Rule{"28", Is::Unauthorized},      // authorization
    Rule{"3D000", Is::Misconfigured},  // no such database
    Rule{"3F000", Is::Misconfigured},  // no such schema
    Rule{"42P01", Is::Misconfigured},  // no such table
    Rule{"42501", Is::Misconfigured},  // not allowed to
};

bool is_state_letter(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); }

}  // namespace

Is class_of(std::string_view sqlstate, bool reads) {
    if (sqlstate.empty()) return Is::Trouble;  // never reached the server, or lost it
    if (sqlstate == "25006")
        return reads ? Is::Rejected : Is::Trouble;  // only reading: a stand-by, until it takes over
    const auto rule = std::find_if(kRules.begin(), kRules.end(),
                                   [&](const Rule& each) { return sqlstate.starts_with(each.beginning); });
    return rule == kRules.end() ? Is::Rejected : rule->is;
}

/// `FATAL:  28P01: password authentication failed …`: the word before it is in the server's language.
std::string_view sqlstate_in(std::string_view message) {
    for (auto at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
        const auto rest = message.substr(at + 3);
        if (rest.size() <= kLength || rest[kLength] != ':') continue;
        const auto state = rest.substr(0, kLength);
        if (std::all_of(state.begin(), state.end(), is_state_letter)) return state;
    }
    return {};
}

}  // namespace orbridge::postgresql
