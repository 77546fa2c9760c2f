#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// One named value in a log line. There is no way to put a Secret into one.
struct LogField {
    std::string_view name;
    std::variant<std::string, std::int64_t, double, bool> value;

    LogField(std::string_view n, std::string_view text) : name(n), value(std::string(text)) {}
    LogField(std::string_view n, const char* text) : name(n), value(std::string(text)) {}
    LogField(std::string_view n, const std::string& text) : name(n), value(text) {}
    LogField(std::string_view n, bool flag) : name(n), value(flag) {}
    LogField(std::string_view n, double number) : name(n), value(number) {}
    LogField(std::string_view n, milliseconds time) : name(n), value(static_cast<std::int64_t>(time.count())) {}
    template <class Tag>
    LogField(std::string_view n, const Id<Tag>& id) : name(n), value(id.value) {}
    template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) LogField(std::string_view n, T number)
        : name(n), value(static_cast<std::int64_t>(number)) {}
};

/// JSON lines: `{"time":"…","level":"info","message":"delivery.attempted","event":"…",…}`.
/// The message is a fixed name, never a sentence with values in it. Safe from any thread.
class Log {
public:
    enum class Level { Debug, Info, Warning, Error };
    using Fields = std::initializer_list<LogField>;
    /// Receives whole lines without their line end; called under a lock.
    using Sink = std::function<void(const std::string& line)>;

    Log(const Clock& clock, Level least, Sink sink);

    void debug(std::string_view message, Fields fields = {}) { write(Level::Debug, message, fields); }
    void info(std::string_view message, Fields fields = {}) { write(Level::Info, message, fields); }
    void warn(std::string_view message, Fields fields = {}) { write(Level::Warning, message, fields); }
    void error(std::string_view message, Fields fields = {}) { write(Level::Error, message, fields); }

private:
    void write(Level level, std::string_view message, Fields fields);
    const Clock& clock_;
    Level least_;
    Sink sink_;
    std::mutex mutex_;
};

/// To standard error, one write(2) a line.
Log::Sink to_standard_error();
/// Nowhere.
Log::Sink to_nowhere();

}  // namespace orbridge
