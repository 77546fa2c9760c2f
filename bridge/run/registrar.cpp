#include "bridge/run/registrar.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace orbridge {
namespace {

constexpr std::array kRegistrationStates = {"present", "created", "repaired", "removed",
                                            "refused", "failed",  "foreign"};
constexpr std::array kRegistrarStates = {"ok", "degraded", "failed", "stopped"};

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

const char* to_text(RegistrationState state) { return kRegistrationStates.at(static_cast<std::size_t>(state)); }
const char* to_text(RegistrarState state) { return kRegistrarStates.at(static_cast<std::size_t>(state)); }

void worsen(RegistrarReport& report, RegistrarState state, const std::string& message) {
    report.state = std::max(report.state, state);
    if (message.empty() || report.message.find(message) != std::string::npos) return;
    if (!report.message.empty()) report.message += ' ';
    report.message += message;
}

void end_with(RegistrarReport& report, Trouble trouble) {
    const bool credentials = trouble.kind == Trouble::Kind::Credentials;
    worsen(report, credentials ? RegistrarState::Stopped : RegistrarState::Failed, trouble.message);
    report.trouble = std::move(trouble);
}

void merge(RegistrarReport& into, RegistrarReport part) {
    worsen(into, part.state, part.message);
    append(into.registrations, part.registrations);
    append(into.cannot_arrive, part.cannot_arrive);
    append(into.notices, part.notices);
    if (part.trouble) into.trouble = std::move(part.trouble);
}

}  // namespace orbridge
