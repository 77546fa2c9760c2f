#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/store/keys.h"
#include "bridge/store/sqlite.h"

/// The table `keys`: what is known of a subject, in one place, so that most events change one page of one index. All
/// of it is the writer's to change, in the transaction that changes what the keys stand for.
namespace orbridge::rows {

/// Where a subject's keys are.
std::string place_of(std::string_view source, std::string_view subject);

/// Is there any key at all?
bool has_keys(Database& db, std::string_view place);

/// The event with this dedup key. `but`: not this one.
std::optional<std::int64_t> find_dedup(Database& db, std::string_view place, const Key16& dedup, std::int64_t but);

/// The key under which events with this twin key are found.
std::string twin_entry(const Key16& twin);

/// Of a new event.
void add_keys(Database& db, std::string_view place, const std::optional<Key16>& dedup, const std::optional<Key16>& twin,
              std::int64_t event);

/// Before and after anything of an event is changed that its keys are made of; alone, the first, before it is removed.
void take_keys(Database& db, std::int64_t event);
void put_keys(Database& db, std::int64_t event);

}  // namespace orbridge::rows
