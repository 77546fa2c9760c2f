#include "bridge/core/log.h"

#include <unistd.h>

#include "bridge/core/json.h"

namespace orbridge {

Log::Log(const Clock& clock, Level least, Sink sink) : clock_(clock), least_(least), sink_(std::move(sink)) {}

void Log::write(Level level, std::string_view message, Fields fields) {
    if (level < least_) return;
    static constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};
    JsonWriter line;
    line.object().member("time", to_iso8601(clock_.now()));
    line.member("level", kLevels[static_cast<int>(level)]).member("message", message);
    for (const auto& field : fields)
        std::visit([&](const auto& value) { line.member(field.name, value); }, field.value);
    line.end();
    const std::lock_guard lock(mutex_);
    sink_(line.text());
}

Log::Sink to_standard_error() {
    return [](const std::string& line) {
        const auto whole = line + '\n';
        // A log that cannot be written (closed pipe, full disk) must not stop deliveries.
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, whole.data(), whole.size());
    };
}

Log::Sink to_nowhere() {
    return [](const std::string&) {};
}

}  // namespace orbridge
