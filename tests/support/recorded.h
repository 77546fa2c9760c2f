#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bridge/core/http.h"

/// The requests recorded from real installations, in tests/data.
namespace orbridge::testing {

/// What the recorded OpenRegister webhooks are signed with, and the hooks' bearer token (captures/README.md).
inline constexpr const char* kRecordedSecret = "vis-7Qm2-OpenRegister-secret";
inline constexpr const char* kRecordedHookToken = "wm-token-visible-123";

std::string read_file(const std::filesystem::path& file);
void write_file(const std::filesystem::path& file, const std::string& text);

/// Files of a folder in tests/data whose names end so, sorted.
std::vector<std::filesystem::path> data_files(const std::string& folder, const std::string& ending);

/// A recorded request: a path in tests/data, e.g. `openregister/captures/ObjectCreatedEvent.standard.http`.
InboundRequest recorded(const std::filesystem::path& file);

}  // namespace orbridge::testing
